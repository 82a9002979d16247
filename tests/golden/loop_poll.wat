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
;;   %2 = phi i32 [ %p0, %entry ], [ %30, %b28 ]
;;   %3 = phi i64 [ %p1, %entry ], [ %32, %b28 ]
;;   br label %b1h
;; b1h:
;;   %4 = phi i32 [ %2, %b1o ], [ %21, %b20 ]
;;   %5 = phi i64 [ %3, %b1o ], [ %5, %b20 ]
;;   %6 = lshr i32 %4, 1
;;   %7 = and i32 %6, 1
;;   %8 = icmp ne i32 %7, 0
;;   br i1 %8, label %b1, label %b9
;; b9:
;;   br label %b9x
;; b1:
;;   %11 = lshr i32 %6, 1
;;   %12 = and i32 %11, 1
;;   %13 = icmp ne i32 %12, 0
;;   br i1 %13, label %b10, label %b14
;; b14:
;;   br label %b9x
;; b10:
;;   %16 = lshr i32 %11, 1
;;   %17 = and i32 %16, 1
;;   %18 = icmp ne i32 %17, 0
;;   br i1 %18, label %b15, label %b19
;; b19:
;;   br label %b9x
;; b15:
;;   %21 = lshr i32 %16, 1
;;   %22 = and i32 %21, 1
;;   %23 = icmp ne i32 %22, 0
;;   br i1 %23, label %b20, label %b24
;; b24:
;;   br label %b9x
;; b20:
;;   %26 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %27 = icmp ne i32 %26, 0
;;   br i1 %27, label %b28, label %b1h, !prof !7
;; b28:
;;   store i32 %21, ptr %homes, align 8, !tbaa !1
;;   %29 = getelementptr i8, ptr %homes, i64 8
;;   store i64 %5, ptr %29, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 26, ptr %homes) ]
;;   %30 = load i32, ptr %homes, align 8, !tbaa !1
;;   %31 = getelementptr i8, ptr %homes, i64 8
;;   %32 = load i64, ptr %31, align 8, !tbaa !1
;;   br label %b1o
;; b9x:
;;   ret i64 %5
;; }
