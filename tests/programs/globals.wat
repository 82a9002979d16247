;; Mutable globals of each type, changed inside loops and calls; exported and constant ones beside them.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $at (mut i32) (i32.const 64))
  (func $put (param $x i64)
    (i64.store (global.get $at) (local.get $x))
    (global.set $at (i32.add (global.get $at) (i32.const 8))))
  (func $put32 (param $x i32) (call $put (i64.extend_i32_u (local.get $x))))
  (func $putf (param $x f64) (call $put (i64.reinterpret_f64 (local.get $x))))
  ;; Writes what was put since the last flush.
  (func $flush
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.sub (global.get $at) (i32.const 64)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (global.set $at (i32.const 64)))
  ;; Extended constant expressions.
  (global $sum (mut i32) (i32.sub (i32.mul (i32.const 77777) (i32.const 99999)) (i32.const 5)))
  (global $product i64
    (i64.mul (i64.add (i64.const 0x7fffffffffffffff) (i64.const 8)) (i64.const -3)))
  (data (i32.add (i32.const 4000) (i32.mul (i32.const 9) (i32.const 8))) "extended")
  (global $state (mut i64) (i64.const 88172645463325252))
  ;; A callee with a loop: its caller's frame is suspended at the call.
  (func $churn (param $n i32) (result i64)
    (loop $again
      (global.set $state (i64.xor (global.get $state) (i64.shl (global.get $state) (i64.const 13))))
      (global.set $state (i64.xor (global.get $state) (i64.shr_u (global.get $state) (i64.const 7))))
      (global.set $state (i64.xor (global.get $state) (i64.shl (global.get $state) (i64.const 17))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (global.get $state))

  (global $i (mut i32) (i32.const 1))
  (global $l (mut i64) (i64.const -1))
  (global $f (mut f32) (f32.const 0.5))
  (global $d (mut f64) (f64.const 1.0))
  (global $c i32 (i32.const 17))
  (global $e (export "e") (mut i32) (i32.const 0))
  (func $bump
    (global.set $i (i32.add (i32.mul (global.get $i) (global.get $c)) (i32.const 3)))
    (global.set $l (i64.xor (i64.rotl (global.get $l) (i64.const 9)) (call $churn (i32.const 1))))
    (global.set $f (f32.add (f32.mul (global.get $f) (f32.const 0.75)) (f32.const 1)))
    (global.set $d (f64.div (f64.add (global.get $d) (f64.const 3)) (f64.const 2)))
    (global.set $e (i32.add (global.get $e) (i32.const 1))))
  (func (export "_start")
    (loop $again
      (call $bump)
      (call $put32 (global.get $i))
      (call $put (global.get $l))
      (call $putf (f64.promote_f32 (global.get $f)))
      (call $putf (global.get $d))
      (call $put32 (global.get $sum))
      (call $put (global.get $product))
      (call $put (i64.load (i32.const 4072)))
      (call $flush)
      (br_if $again (i32.lt_u (global.get $e) (i32.const 8))))))
