;; Frames that leave their place to another function's: direct, mutual, indirect, with many
;; parameters and with several results; memory is what is compared.
(module
  (type $step (func (param i32 i64) (result i64)))
  (memory (export "memory") 1)
  (table funcref (elem $up $down))

  (func $up (type $step)
    (i64.store (i32.mul (local.get 0) (i32.const 8))
      (i64.add (local.get 1) (i64.load (i32.mul (local.get 0) (i32.const 8)))))
    (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
    (return_call_indirect (type $step) (i32.sub (local.get 0) (i32.const 1))
      (i64.mul (local.get 1) (i64.const 3)) (i32.and (local.get 0) (i32.const 1))))

  (func $down (type $step)
    (if (i32.eqz (local.get 0)) (then (return_call $up (i32.const 0) (i64.const 5))))
    (return_call $up (i32.sub (local.get 0) (i32.const 1))
      (i64.add (local.get 1) (call $plain (local.get 0)))))

  (func $plain (param $n i32) (result i64) (local $sum i64)
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $n))))
      (br_if $again (local.tee $n (i32.shr_u (local.get $n) (i32.const 1)))))
    (local.get $sum))

  (func $wide (param i32 f64 i32 f64 i32 f64 i32 f64 i32 f64 i32 f64 i32 f64 i32 f64 i32 i32)
    (result f64 i32 i64)
    (if (i32.eqz (local.get 0)) (then
      (return (local.get 15) (local.get 17) (call $up (i32.const 4) (i64.const 7)))))
    (return_call $wide (i32.sub (local.get 0) (i32.const 1))
      (local.get 3) (local.get 2) (local.get 5) (local.get 4) (local.get 7) (local.get 6)
      (local.get 9) (local.get 8) (local.get 11) (local.get 10) (local.get 13) (local.get 12)
      (local.get 15) (local.get 14) (local.get 1) (local.get 17) (local.get 16)))

  (func $enter (param i32) (result f64 i32 i64)
    (return_call $wide (local.get 0) (f64.const 1) (i32.const 2) (f64.const 3) (i32.const 4)
      (f64.const 5) (i32.const 6) (f64.const 7) (i32.const 8) (f64.const 9) (i32.const 10)
      (f64.const 11) (i32.const 12) (f64.const 13) (i32.const 14) (f64.const 15) (i32.const 16)
      (i32.const 17)))

  (func (export "_start") (local i64 i32 f64)
    (i64.store offset=1024 (i32.const 0) (call $up (i32.const 40) (i64.const 1)))
    (call $enter (i32.const 13))
    (local.set 0)
    (local.set 1)
    (local.set 2)
    (f64.store offset=1032 (i32.const 0) (local.get 2))
    (i32.store offset=1040 (i32.const 0) (local.get 1))
    (i64.store offset=1048 (i32.const 0) (local.get 0))
    (return_call $finish (i32.const 9) (local.get 0)))

  ;; The outermost frame from then on is not _start's.
  (func $finish (param $n i32) (param $sum i64)
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (call $plain (i32.mul (local.get $n) (i32.const 77)))))
      (i64.store offset=1056 (i32.const 0) (local.get $sum))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
