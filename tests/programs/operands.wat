;; Operands of four types stay on the stack across calls, loops and host calls; they meet at the end.
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

  (func $stacked (param $a i32) (param $b i64) (param $c f32) (param $d f64) (result f64)
    (local $n i32)
    local.get $d                              ;; f64
    local.get $c
    f64.promote_f32                           ;; f64 f64
    local.get $b                              ;; f64 f64 i64
    local.get $a                              ;; f64 f64 i64 i32
    (call $churn (i32.const 2))               ;; f64 f64 i64 i32 i64
    f32.const 0.375                           ;; f64 f64 i64 i32 i64 f32
    (local.set $n (i32.const 4))
    (loop $again
      (call $put (call $churn (i32.const 1)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $again (local.get $n)))
    call $flush
    (local.set $n (i32.const 3))
    (loop $again (result i32)                 ;; an operand made in the loop, six below
      (call $put (global.get $state))
      (local.get $n)
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (i32.eqz (local.get $n))
      (if (param i32) (result i32) (then) (else drop br $again)))
    f32.convert_i32_s
    f32.add                                   ;; f64 f64 i64 i32 i64 f32
    f64.promote_f32
    (i64.reinterpret_f64)
    i64.add                                   ;; f64 f64 i64 i32 i64
    i32.wrap_i64
    i32.xor                                   ;; f64 f64 i64 i32
    i64.extend_i32_s
    i64.add                                   ;; f64 f64 i64
    (i64.shr_s (i64.const 11))
    f64.convert_i64_s
    f64.mul
    f64.add)
  (func (export "_start")
    (call $putf (call $stacked (i32.const -7) (i64.const 0x7fffffffffffffff) (f32.const 1.5) (f64.const -0.125)))
    (call $putf (f64.add
      (call $stacked (i32.const 1) (i64.const -1) (f32.const -0) (f64.const 1e300))
      (f64.mul (call $stacked (i32.const 0) (i64.const 0) (f32.const inf) (f64.const 1)) (f64.const 0.5))))
    (call $flush)))
