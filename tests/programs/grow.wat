;; Memory grows between points, by the guest, up to its limit; new pages are zero, old ones kept.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 14)
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

  (func (export "_start")
    (local $i i32) (local $p i32)
    (loop $again
      (call $put32 (memory.grow (i32.add (i32.and (local.get $i) (i32.const 1)) (i32.const 1))))
      (local.set $p (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 8)))
      (call $put (i64.load (local.get $p)))
      (i64.store (local.get $p) (call $churn (i32.const 2)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 8))))
    (call $put32 (memory.grow (i32.const 100)))
    (call $put32 (memory.grow (i32.const 0)))
    (call $flush)
    (local.set $p (i32.const 0x1fff8))
    (loop $again
      (call $put (i64.load (local.get $p)))
      (local.set $p (i32.add (local.get $p) (i32.const 0x10000)))
      (br_if $again (i32.lt_u (local.get $p) (i32.shl (memory.size) (i32.const 16)))))
    (call $flush)))
