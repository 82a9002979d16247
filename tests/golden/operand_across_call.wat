;; Operands below a call's arguments have homes, too.
(module
  (import "env" "h" (func $h (result i64)))
  (func (param i64) (result i64)
    (i64.add (i64.mul (local.get 0) (i64.const 3)) (call $h))))
;; -- expected --
;; define hidden preserve_nonecc i64 @m0_f1(i64 %p0) #1 {
;; entry:
;;   %homes = alloca [1 x i64], align 16
;;   %1 = mul i64 %p0, 3
;;   call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) #6
;;   store i64 %1, ptr %homes, align 8, !tbaa !1
;;   %2 = call preserve_nonecc i64 @m0_f0() #2 [ "deopt"(i32 1, i32 45, ptr %homes) ]
;;   %3 = load i64, ptr %homes, align 8, !tbaa !1
;;   %4 = add i64 %3, %2
;;   ret i64 %4
;; }
