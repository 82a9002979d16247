;; A loop polls at its header. $idle is not named inside: it goes home once, before the loop.
(module
  (func (param $n i32) (param $idle i64) (result i64)
    (loop $again
      (br_if $again (i32.and (local.tee $n (i32.shr_u (local.get $n) (i32.const 1))) (i32.const 1))))
    (local.get $idle)))
;; -- expected --
;; define hidden preserve_nonecc i64 @m0_f0(i32 %p0, i64 %p1) #1 {
;; entry:
;;   %homes = alloca [2 x i64], align 16
;;   call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) #6
;;   %1 = getelementptr i8, ptr %homes, i64 8
;;   store i64 %p1, ptr %1, align 8, !tbaa !1
;;   br label %b2
;; b2:
;;   %3 = phi i32 [ %p0, %entry ], [ %10, %b7 ]
;;   %4 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %5 = icmp ne i32 %4, 0
;;   br i1 %5, label %b6, label %b7, !prof !7
;; b6:
;;   store i32 %3, ptr %homes, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 26, ptr %homes) ]
;;   %8 = load i32, ptr %homes, align 8, !tbaa !1
;;   br label %b7
;; b7:
;;   %9 = phi i32 [ %3, %b2 ], [ %8, %b6 ]
;;   %10 = lshr i32 %9, 1
;;   %11 = and i32 %10, 1
;;   %12 = icmp ne i32 %11, 0
;;   br i1 %12, label %b2, label %b13
;; b13:
;;   %14 = getelementptr i8, ptr %homes, i64 8
;;   %15 = load i64, ptr %14, align 8, !tbaa !1
;;   ret i64 %15
;; }
