;; memory.copy, memory.fill and memory.init, overlapping both ways; a segment that is dropped before the last move.
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

  (data $text "the quick brown fox jumps over the lazy dog")
  (data (i32.const 4096) "active")
  (func $sum (param $p i32) (param $end i32) (result i64)
    (local $h i64)
    (loop $again
      (local.set $h (i64.add (i64.mul (local.get $h) (i64.const 31)) (i64.load (local.get $p))))
      (br_if $again (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 8))) (local.get $end))))
    (local.get $h))
  (func (export "_start")
    (local $i i32)
    (loop $again
      (memory.init $text (i32.add (i32.const 8192) (i32.mul (local.get $i) (i32.const 50))) (local.get $i) (i32.const 30))
      (drop (call $churn (i32.const 1)))
      (local.set $i (i32.add (local.get $i) (i32.const 3)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 12))))
    (data.drop $text)
    (memory.init $text (i32.const 8192) (i32.const 0) (i32.const 0))
    (call $put (call $sum (i32.const 8192) (i32.const 8800)))
    (memory.copy (i32.const 8200) (i32.const 8192) (i32.const 500))
    (drop (call $churn (i32.const 2)))
    (memory.copy (i32.const 8195) (i32.const 8300) (i32.const 400))
    (call $put (call $sum (i32.const 8192) (i32.const 8800)))
    (memory.fill (i32.const 8250) (i32.const 0x1a5) (i32.const 37))
    (call $put (call $sum (i32.const 4096) (i32.const 4104)))
    (call $put (call $sum (i32.const 8192) (i32.const 8800)))
    (memory.copy (i32.const 0x10000) (i32.const 0) (i32.const 0))
    (call $flush)
    ;; the dropped segment is gone: this traps
    (memory.init $text (i32.const 8192) (i32.const 0) (i32.const 1))))
