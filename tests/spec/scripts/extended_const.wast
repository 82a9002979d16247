;; Constant expressions with integer arithmetic, as 3.0 has them: folded where all is known, worked
;; out at instantiation where an imported global takes part.
(module
  (import "spectest" "global_i32" (global $i i32))
  (import "spectest" "global_i64" (global $j i64))
  (memory (export "memory") 1)
  (table $t 8 funcref)
  (type $n (func (result i32)))
  (global (export "wraps") i32 (i32.add (i32.const 0x7fffffff) (i32.const 1)))
  (global (export "wraps_long") i64
    (i64.sub (i64.const 0x8000000000000000) (i64.const 1)))
  (global (export "product") (mut i64)
    (i64.mul (i64.mul (i64.const 0x123456789) (i64.const -0x10001)) (i64.const 0x1000003)))
  (global $linked (export "linked") i32
    (i32.sub (i32.mul (global.get $i) (i32.const 1000003)) (i32.add (global.get $i) (i32.const 1))))
  (global (export "linked_long") i64
    (i64.add (i64.mul (global.get $j) (global.get $j)) (i64.mul (i64.const -1) (global.get $j))))
  (global (export "deep") i32
    (i32.sub (i32.const 1) (i32.sub (i32.const 2) (i32.sub (i32.const 3)
      (i32.sub (global.get $i) (i32.sub (i32.const 5) (i32.mul (global.get $i) (i32.const -7))))))))
  (elem (offset (i32.sub (global.get $i) (i32.const 664))) $one $two)
  (elem (i32.mul (i32.const 2) (i32.const 3)) $one)
  (data (i32.add (global.get $i) (i32.mul (i32.const 4) (i32.const 2))) "ab")
  (data (offset (i32.const 3) (i32.const 4) (i32.add)) "c")
  (func $one (type $n) (i32.const 1))
  (func $two (type $n) (i32.const 2))
  (func (export "at") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "call") (param i32) (result i32) (call_indirect $t (type $n) (local.get 0)))
  (func (export "use") (result i32) (i32.add (global.get $linked) (i32.const 1))))

(assert_return (get "wraps") (i32.const 0x80000000))
(assert_return (get "wraps_long") (i64.const 0x7fffffffffffffff))
(assert_return (get "product") (i64.const 0xb971c7c4d694c965))
(assert_return (get "linked") (i32.const 666001331))
(assert_return (get "linked_long") (i64.const 442890))
(assert_return (get "deep") (i32.const 4003))
(assert_return (invoke "at" (i32.const 674)) (i32.const 97))
(assert_return (invoke "at" (i32.const 675)) (i32.const 98))
(assert_return (invoke "at" (i32.const 7)) (i32.const 99))
(assert_return (invoke "call" (i32.const 2)) (i32.const 1))
(assert_return (invoke "call" (i32.const 3)) (i32.const 2))
(assert_return (invoke "call" (i32.const 6)) (i32.const 1))
(assert_trap (invoke "call" (i32.const 1)) "uninitialized element")
(assert_return (invoke "use") (i32.const 666001332))

(assert_trap
  (module (import "spectest" "global_i32" (global $i i32)) (memory 1)
    (data (i32.mul (global.get $i) (i32.const 99)) "x"))
  "out of bounds memory access")
(assert_trap
  (module (table 3 funcref) (func $f) (elem (i32.sub (i32.const 2) (i32.const 3)) $f))
  "out of bounds table access")

(assert_invalid (module (global i32 (i32.add (i32.const 0)))) "type mismatch")
(assert_invalid (module (global i32 (i32.add (i32.const 0) (i64.const 0)))) "type mismatch")
(assert_invalid (module (global i32 (i64.add (i64.const 0) (i64.const 0)))) "type mismatch")
(assert_invalid (module (memory 1) (data (i32.mul (i32.const 0)))) "type mismatch")
(assert_invalid
  (module (global i32 (i32.and (i32.const 0) (i32.const 0)))) "constant expression required")
(assert_invalid
  (module (global f32 (f32.add (f32.const 0) (f32.const 0)))) "constant expression required")
(assert_invalid
  (module (import "spectest" "m" (global $m (mut i32))) (memory 1)
    (data (i32.add (global.get $m) (i32.const 1)) "x"))
  "constant expression required")
(assert_invalid
  (module (memory 1) (data (offset (i32.const 0) (i32.const 0) (call $f)) "x")
    (func $f (param i32 i32) (result i32) (i32.const 0)))
  "constant expression required")
