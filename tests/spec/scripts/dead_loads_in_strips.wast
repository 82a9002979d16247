;; A load outside the memory traps also in loops that are strip-mined, where LLVM may vectorise.
;; Each function runs from $p to $end in steps of 4 (or 1); one page ends at 65536.
(module
  (memory 1)

  (func (export "overwritten") (param $p i32) (param $end i32) (result i32) (local $x i32) (local $sum i32)
    (loop $again
      (local.set $x (i32.load (local.get $p)))
      (local.set $x (i32.const 2))
      (local.set $sum (i32.add (local.get $sum) (local.get $x)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))
    (local.get $sum))

  (func (export "times zero") (param $p i32) (param $end i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (i32.mul (i32.const 0) (i32.load (local.get $p)))))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))
    (local.get $sum))

  (func (export "shifted out") (param $p i32) (param $end i32) (result i64) (local $sum i64)
    (loop $again
      (local.set $sum (i64.add (local.get $sum)
        (i64.shl (i64.mul (i64.load32_u (local.get $p)) (i64.const 4294967296)) (i64.const 32))))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))
    (local.get $sum))

  (func (export "masked out") (param $p i32) (param $end i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum)
        (i32.and (i32.load8_u (local.get $p)) (i32.const 256))))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))
    (local.get $sum))

  (func (export "minus itself") (param $p i32) (param $end i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum)
        (i32.sub (i32.load (local.get $p)) (i32.load (local.get $p)))))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))
    (local.get $sum))

  (func (export "telescope") (param $p i32) (param $end i32) (result i32) (local $sum i32) (local $last i32)
    (loop $again
      (local.set $sum (i32.sub (local.get $sum) (local.get $last)))
      (local.set $last (i32.load (local.get $p)))
      (local.set $sum (i32.add (local.get $sum) (local.get $last)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const -4))) (local.get $end))))
    (i32.sub (local.get $sum) (local.get $last)))

  ;; Only the last one is of use.
  (func (export "last") (param $p i32) (param $end i32) (result i32) (local $last i32)
    (loop $again
      (local.set $last (i32.load (local.get $p)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const -4))) (local.get $end))))
    (local.get $last))
  (func (export "stored at one place") (param $p i32) (param $end i32)
    (loop $again
      (i32.store (i32.const 8) (i32.load (local.get $p)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const -4))) (local.get $end)))))
  (func (export "store overwritten") (param $p i32) (param $end i32) (local $q i32)
    (loop $again
      (i32.store (local.get $q) (i32.load (local.get $p)))
      (i32.store (local.get $q) (i32.const 7))
      (local.set $q (i32.add (local.get $q) (i32.const 4)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const -4))) (local.get $end)))))
  (func (export "store overwritten next") (param $p i32) (param $end i32) (local $q i32)
    (loop $again
      (i32.store (local.get $q) (i32.const 7))
      (i32.store offset=4 (local.get $q) (i32.load (local.get $p)))
      (local.set $q (i32.add (local.get $q) (i32.const 4)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const -4))) (local.get $end)))))

  (func (export "put back") (param $p i32) (param $end i32)
    (loop $again
      (i32.store (local.get $p) (i32.load (local.get $p)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end)))))
  (func (export "put back the same") (param $p i32) (param $end i32)
    (loop $again
      (f32.store (local.get $p) (f32.neg (f32.neg (f32.load (local.get $p)))))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end)))))

  ;; Of these four bytes the first would do.
  (func (export "narrow") (param $p i32) (param $end i32) (local $q i32)
    (loop $again
      (i32.store8 (local.get $q) (i32.load (local.get $p)))
      (local.set $q (i32.add (local.get $q) (i32.const 1)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 1))) (local.get $end)))))

  ;; These LLVM has to keep by itself.
  (func (export "sum") (param $p i32) (param $end i32) (result f64) (local $sum f64)
    (loop $again
      (local.set $sum (f64.add (local.get $sum) (f64.load (local.get $p))))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 8))) (local.get $end))))
    (local.get $sum))
  (func (export "copy") (param $p i32) (param $end i32) (local $q i32)
    (loop $again
      (i32.store (local.get $q) (i32.load (local.get $p)))
      (local.set $q (i32.add (local.get $q) (i32.const 4)))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end)))))
  (func (export "greatest") (param $p i32) (param $end i32) (result i32) (local $x i32) (local $m i32)
    (loop $again
      (local.set $m (select (local.tee $x (i32.load (local.get $p))) (local.get $m)
        (i32.gt_s (local.get $x) (local.get $m))))
      (br_if $again (i32.ne (local.tee $p (i32.add (local.get $p) (i32.const 4))) (local.get $end))))
    (local.get $m)))

(assert_return (invoke "overwritten" (i32.const 65000) (i32.const 65536)) (i32.const 268))
(assert_trap (invoke "overwritten" (i32.const 65000) (i32.const 65540)) "out of bounds memory access")
(assert_return (invoke "times zero" (i32.const 65000) (i32.const 65536)) (i32.const 0))
(assert_trap (invoke "times zero" (i32.const 65000) (i32.const 65540)) "out of bounds memory access")
(assert_return (invoke "shifted out" (i32.const 65000) (i32.const 65536)) (i64.const 0))
(assert_trap (invoke "shifted out" (i32.const 65000) (i32.const 65540)) "out of bounds memory access")
(assert_return (invoke "masked out" (i32.const 65000) (i32.const 65536)) (i32.const 0))
(assert_trap (invoke "masked out" (i32.const 65000) (i32.const 65540)) "out of bounds memory access")
(assert_return (invoke "minus itself" (i32.const 65000) (i32.const 65536)) (i32.const 0))
(assert_trap (invoke "minus itself" (i32.const 65000) (i32.const 65540)) "out of bounds memory access")
(assert_return (invoke "telescope" (i32.const 65532) (i32.const 65000)) (i32.const 0))
(assert_trap (invoke "telescope" (i32.const 65536) (i32.const 65000)) "out of bounds memory access")
(assert_return (invoke "last" (i32.const 65532) (i32.const 65000)) (i32.const 0))
(assert_trap (invoke "last" (i32.const 65536) (i32.const 65000)) "out of bounds memory access")
(assert_return (invoke "stored at one place" (i32.const 65532) (i32.const 65000)))
(assert_trap (invoke "stored at one place" (i32.const 65536) (i32.const 65000))
  "out of bounds memory access")
(assert_return (invoke "store overwritten" (i32.const 65532) (i32.const 65000)))
(assert_trap (invoke "store overwritten" (i32.const 65536) (i32.const 65000))
  "out of bounds memory access")
(assert_return (invoke "store overwritten next" (i32.const 65532) (i32.const 65000)))
(assert_trap (invoke "store overwritten next" (i32.const 65536) (i32.const 65000))
  "out of bounds memory access")
(assert_return (invoke "put back" (i32.const 65000) (i32.const 65536)))
(assert_trap (invoke "put back" (i32.const 65000) (i32.const 65540)) "out of bounds memory access")
(assert_return (invoke "put back the same" (i32.const 65000) (i32.const 65536)))
(assert_trap (invoke "put back the same" (i32.const 65000) (i32.const 65540))
  "out of bounds memory access")
(assert_return (invoke "narrow" (i32.const 65000) (i32.const 65533)))
(assert_trap (invoke "narrow" (i32.const 65000) (i32.const 65534)) "out of bounds memory access")
(assert_return (invoke "sum" (i32.const 65000) (i32.const 65536)) (f64.const 0))
(assert_trap (invoke "sum" (i32.const 65000) (i32.const 65544)) "out of bounds memory access")
(assert_return (invoke "copy" (i32.const 65000) (i32.const 65536)))
(assert_trap (invoke "copy" (i32.const 65000) (i32.const 65540)) "out of bounds memory access")
(assert_return (invoke "greatest" (i32.const 65000) (i32.const 65536)) (i32.const 0))
(assert_trap (invoke "greatest" (i32.const 65000) (i32.const 65540)) "out of bounds memory access")
