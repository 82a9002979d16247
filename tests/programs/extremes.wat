;; Extreme values of each type in locals, operands, globals and memory, alive over polls, calls and host calls: NaN payloads
;; (quiet and signalling), infinities, zeros, denormals, the integers at the edges. Only bits are moved, so they must not change.
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

  (global $g32 (mut f32) (f32.const nan:0x200001))
  (global $g64 (mut f64) (f64.const -nan:0x4000000000001))
  (global $gi (mut i64) (i64.const 0x8000000000000000))
  (func $puts (param $x f32) (call $put32 (i32.reinterpret_f32 (local.get $x))))
  (func $carry
    (param $a f32) (param $b f64) (param $c i32) (param $d i64) (param $e f32) (param $f f64)
    (local $n i32)
    (local.get $b) (local.get $a) (local.get $d) (local.get $c)
    (local.set $n (i32.const 3))
    (loop $again
      (drop (call $churn (i32.const 1)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (call $put32) (call $put) (call $puts) (call $putf)
    (call $puts (local.get $e)) (call $putf (local.get $f))
    (call $puts (global.get $g32)) (call $putf (global.get $g64)) (call $put (global.get $gi))
    (global.set $g32 (local.get $e))
    (global.set $g64 (local.get $f))
    (global.set $gi (local.get $d))
    (call $flush))
  (func (export "_start")
    (f32.store (i32.const 60000) (f32.const -nan:0x3fffff))
    (f64.store (i32.const 60008) (f64.const nan:0x7ffffffffffff))
    (call $carry (f32.const nan:0x200000) (f64.const nan:0x4000000000000) (i32.const 0x80000000)
      (i64.const 0x8000000000000000) (f32.const -inf) (f64.const inf))
    (call $carry (f32.const -nan:0x400001) (f64.const -nan:0x8000000000001) (i32.const -1)
      (i64.const 0x7fffffffffffffff) (f32.const 0x1p-149) (f64.const 0x1p-1074))
    (call $carry (f32.const -0) (f64.const -0) (i32.const 0x7fffffff)
      (i64.const -1) (f32.const 0x1.fffffep127) (f64.const 0x1.fffffffffffffp1023))
    (call $carry (f32.load (i32.const 60000)) (f64.load (i32.const 60008)) (i32.const 0)
      (i64.const 0) (f32.const 0x1.fffffcp-127) (f64.const -0x0.fffffffffffffp-1022))
    (call $flush)))
