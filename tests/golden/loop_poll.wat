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
;;   br label %b1o
;; b1o:
;;   %2 = phi i32 [ %p0, %entry ], [ %15, %b13 ]
;;   %3 = phi i64 [ %p1, %entry ], [ %17, %b13 ]
;;   br label %b1h
;; b1h:
;;   %4 = phi i32 [ %2, %b1o ], [ %6, %b1 ]
;;   %5 = phi i64 [ %3, %b1o ], [ %5, %b1 ]
;;   %6 = lshr i32 %4, 1
;;   %7 = and i32 %6, 1
;;   %8 = icmp ne i32 %7, 0
;;   br i1 %8, label %b1, label %b9
;; b9:
;;   br label %b10
;; b1:
;;   %11 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %12 = icmp ne i32 %11, 0
;;   br i1 %12, label %b13, label %b1h, !prof !7
;; b13:
;;   store i32 %6, ptr %homes, align 8, !tbaa !1
;;   %14 = getelementptr i8, ptr %homes, i64 8
;;   store i64 %5, ptr %14, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 26, ptr %homes) ]
;;   %15 = load i32, ptr %homes, align 8, !tbaa !1
;;   %16 = getelementptr i8, ptr %homes, i64 8
;;   %17 = load i64, ptr %16, align 8, !tbaa !1
;;   br label %b1o
;; b10:
;;   ret i64 %5
;; }
