;; A function that reaches no point has none, no homes, and may be inlined; its callers need no record.
(module
  (func $square (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
  (func (param i32) (result i32) (call $square (call $square (local.get 0)))))
;; -- expected --
;; define hidden preserve_nonecc i32 @m0_f0(i32 %p0) #0 {
;; entry:
;;   %1 = mul i32 %p0, %p0
;;   ret i32 %1
;; }
;; define hidden preserve_nonecc i32 @m0_f1(i32 %p0) #0 {
;; entry:
;;   %1 = call preserve_nonecc i32 @m0_f0(i32 %p0)
;;   %2 = call preserve_nonecc i32 @m0_f0(i32 %1)
;;   ret i32 %2
;; }
