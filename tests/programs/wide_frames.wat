;; Locals of all types in odd order, many dead at each point: home slots are shared, and each call keeps another set alive.
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
  (global $state (mut i64) (i64.const 88172645463325252))
  ;; A callee with a loop: its caller's frame is suspended at the call.
  (func $churn (param $n i32) (result i64)
    (loop $again
      (global.set $state (i64.xor (global.get $state) (i64.shl (global.get $state) (i64.const 13))))
      (global.set $state (i64.xor (global.get $state) (i64.shr_u (global.get $state) (i64.const 7))))
      (global.set $state (i64.xor (global.get $state) (i64.shl (global.get $state) (i64.const 17))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (global.get $state))

  (func $sets (param $a i32) (param $b f64) (result f64)
    (local $c i64) (local $d f32) (local $e i32) (local $f f64) (local $g i64) (local $h f32)
    (local.set $c (call $churn (i32.const 1)))                         ;; a b c
    (local.set $d (f32.convert_i64_s (local.get $c)))
    (local.set $e (i32.wrap_i64 (call $churn (local.get $a))))         ;; b c d e
    (local.set $f (f64.mul (local.get $b) (f64.promote_f32 (local.get $d))))
    (local.set $g (i64.add (local.get $c) (call $churn (i32.const 2)))) ;; e f
    (local.set $h (f32.convert_i32_u (local.get $e)))
    (if (i64.lt_s (local.get $g) (i64.const 0))
      (then (drop (call $churn (i32.const 2))) (local.set $f (f64.neg (local.get $f))))
      (else (local.set $h (f32.add (local.get $h) (f32.convert_i64_u (call $churn (i32.const 1)))))))
    (drop (call $churn (i32.const 1)))                                  ;; f g h
    (f64.add (local.get $f) (f64.add (f64.convert_i64_s (local.get $g)) (f64.promote_f32 (local.get $h)))))
  (func (export "_start")
    (local $i i32)
    (local.set $i (i32.const 1))
    (loop $again
      (call $putf (call $sets (local.get $i) (f64.convert_i32_s (i32.sub (i32.const 3) (local.get $i)))))
      (call $flush)
      (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))))
