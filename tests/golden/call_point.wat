;; What is live behind a call goes home before it and comes back behind it; $dead does not.
(module
  (import "env" "h" (func $h (param i32) (result i32)))
  (func (param $kept i32) (param $dead i64) (param $changed f64) (result f64)
    (local.set $changed (f64.add (local.get $changed) (f64.const 1.5)))
    (drop (call $h (i32.wrap_i64 (local.get $dead))))
    (drop (call $h (local.get $kept)))
    (f64.neg (local.get $changed))))
;; -- expected --
;; define hidden preserve_nonecc double @m0_f1(i32 %p0, i64 %p1, double %p2) #1 {
;; entry:
;;   %homes = alloca [2 x i64], align 16
;;   %1 = fadd double %p2, 0x3FF8000000000000
;;   %2 = trunc i64 %p1 to i32
;;   call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) #6
;;   store i32 %p0, ptr %homes, align 8, !tbaa !1
;;   %3 = getelementptr i8, ptr %homes, i64 8
;;   store double %1, ptr %3, align 8, !tbaa !1
;;   %4 = call preserve_nonecc i32 @m0_f0(i32 %2) #2 [ "deopt"(i32 1, i32 60, ptr %homes) ]
;;   %5 = load i32, ptr %homes, align 8, !tbaa !1
;;   %6 = call preserve_nonecc i32 @m0_f0(i32 %5) #2 [ "deopt"(i32 1, i32 65, ptr %homes) ]
;;   %7 = getelementptr i8, ptr %homes, i64 8
;;   %8 = load double, ptr %7, align 8, !tbaa !1
;;   %9 = fneg double %8
;;   ret double %9
;; }
