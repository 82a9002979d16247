;; br_table with many targets, values carried by branches, unwinding out of deep blocks and loops.
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

  (func $pick (param $x i32) (result i32)
    (block $default (result i32)
      (block $three (result i32)
        (block $two (result i32)
          (block $one (result i32)
            (block $zero (result i32)
              (i32.const 100)
              (br_table $zero $one $two $three $two $one $default (local.get $x)))
            (return (i32.add (i32.const 1))))
          (br $default (i32.mul (i32.const 3))))
        (i32.add (i32.wrap_i64 (call $churn (i32.const 1)))))
      (i32.xor (i32.const 0x55)))
    (i32.sub (i32.const 9)))
  (func $deep (param $n i32) (result i64)
    (local $sum i64)
    (block $out
      (loop $outer
        (block $next
          (loop $inner
            (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.extend_i32_u (local.get $n))))
            (local.set $n (i32.add (local.get $n) (i32.const 5)))
            (br_if $out (i32.gt_u (local.get $n) (i32.const 60)))
            (br_if $next (i32.eqz (i32.rem_u (local.get $n) (i32.const 3))))
            (br_if $inner (i32.and (local.get $n) (i32.const 1)))
            (br $outer)))
        (local.set $n (i32.sub (local.get $n) (i32.const 2)))
        (br $outer)))
    (local.get $sum))
  (func $loop_table (param $n i32) (result i32)
    (local $visits i32)
    (loop $a
      (local.set $visits (i32.add (local.get $visits) (i32.const 1)))
      (loop $b
        (local.set $visits (i32.add (local.get $visits) (i32.const 100)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (block $stop
          (br_table $b $a $stop (i32.rem_u (local.get $n) (i32.const 3))))))
    (local.get $visits))
  (func (export "_start")
    (local $i i32)
    (loop $again
      (call $put32 (call $pick (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 9))))
    (call $put32 (call $pick (i32.const -1)))
    (call $flush)
    (call $put (call $deep (i32.const 1)))
    (call $put (call $deep (i32.const 8)))
    (call $put32 (call $loop_table (i32.const 17)))
    (call $put32 (call $loop_table (i32.const 21)))
    (call $flush)))
