;; The main loop of an interpreter: many calls, and locals that only few of its arms name. They stay at home from one
;; iteration to the next; it is entered again by br, br_if and br_table, with such locals just written or untouched.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $at (mut i32) (i32.const 64))
  (data (i32.const 2048) "\04\00\05\01\06\02\07\03\08\04\02\05\03\06\01\07\00\08\09\04\06\00\05\07\08\03\02\0a")
  (func $put (param $x i64)
    (i64.store (global.get $at) (local.get $x))
    (global.set $at (i32.add (global.get $at) (i32.const 8))))
  (func $flush
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.sub (global.get $at) (i32.const 64)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (global.set $at (i32.const 64)))
  ;; A callee with a point: 1 more than it was given.
  (func $next (param $x i32) (result i32)
    (local $n i32)
    (local.set $n (i32.const 2))
    (loop $again
      (global.set $at (global.get $at))
      (br_if $again (i32.and (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 1))))
    (i32.add (local.get $x) (i32.const 1)))

  (func $run (param $code i32) (param $d f64) (result i32)
    (local $pc i32) (local $acc i32)
    (local $counter i64) (local $flag i32) (local $half f32) (local $lanes v128) (local $limit i32) (local $n i32)
    (local.set $pc (local.get $code))
    (local.set $limit (i32.const 3))
    (loop $main
      (block $done
        (block $a9 (block $a8 (block $a7 (block $a6 (block $a5 (block $a4 (block $a3 (block $a2 (block $a1 (block $a0
          (local.set $acc (call $next (local.get $acc)))
          (br_table $a0 $a1 $a2 $a3 $a4 $a5 $a6 $a7 $a8 $a9 $done
            (i32.load8_u (local.tee $pc (i32.add (local.get $pc) (i32.const 1))))))
        ;; 0: a rare local, written and gone back with at once
        (local.set $counter (i64.add (local.get $counter) (i64.const 0x100000001)))
        (br $main))
        ;; 1: written behind a call
        (local.set $acc (call $next (call $next (local.get $acc))))
        (local.set $half (f32.add (local.get $half) (f32.const 0.5)))
        (br $main))
        ;; 2: written, then perhaps gone back with; else read
        (local.set $flag (i32.xor (local.get $flag) (local.get $acc)))
        (br_if $main (i32.and (local.get $acc) (i32.const 1)))
        (local.set $acc (call $next (i32.add (local.get $acc) (local.get $flag))))
        (br $main))
        ;; 3: br_table goes back, or on
        (local.set $lanes (i32x4.add (local.get $lanes) (i32x4.splat (local.get $acc))))
        (block $on
          (br_table $main $on $main (i32.rem_u (local.get $acc) (i32.const 3))))
        (local.set $acc (call $next (i32x4.extract_lane 2 (local.get $lanes))))
        (br $main))
        ;; 4: a loop without calls in the loop, that changes a rare local
        (local.set $n (i32.const 3))
        (loop $inner
          (local.set $flag (i32.add (i32.rotl (local.get $flag) (i32.const 5)) (local.get $limit)))
          (global.set $at (global.get $at))
          (br_if $inner (i32.and (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 3))))
        (local.set $acc (call $next (local.get $acc)))
        (br $main))
        ;; 5: reads what others have written
        (call $put (local.get $counter))
        (local.set $acc (call $next (local.get $acc)))
        (br $main))
        (call $put (i64.extend_i32_u (i32.reinterpret_f32 (local.get $half))))
        (local.set $acc (call $next (local.get $acc)))
        (br $main))
        (call $put (i64.extend_i32_u (local.get $flag)))
        (call $put (i64x2.extract_lane 1 (local.get $lanes)))
        (local.set $d (f64.mul (local.get $d) (f64.const 1.5)))
        (local.set $acc (call $next (local.get $acc)))
        (br $main))
        (call $put (i64.reinterpret_f64 (local.get $d)))
        (local.set $acc (call $next (call $next (call $next (local.get $acc)))))
        (br $main))
        ;; 9: start again, a few times
        (local.set $pc (local.get $code))
        (local.set $acc (call $next (call $next (call $next (local.get $acc)))))
        (local.set $acc (call $next (call $next (call $next (local.get $acc)))))
        (br_if $main (local.tee $limit (i32.sub (local.get $limit) (i32.const 1))))
        (local.set $pc (i32.add (local.get $pc) (i32.const 19)))
        (local.set $acc (call $next (call $next (call $next (local.get $acc)))))
        (br $main)))
    (i32.add (local.get $acc) (local.get $limit)))
  (func (export "_start")
    (call $put (i64.extend_i32_u (call $run (i32.const 2047) (f64.const 0.1))))
    (call $flush)))
