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
;;   br label %b1h
;; b1h:
;;   %2 = phi i32 [ %p0, %entry ], [ %17, %b12 ]
;;   %3 = phi i64 [ %p1, %entry ], [ %18, %b12 ]
;;   %4 = lshr i32 %2, 1
;;   %5 = and i32 %4, 1
;;   %6 = icmp ne i32 %5, 0
;;   br i1 %6, label %b1, label %b7
;; b7:
;;   br label %b8
;; b1:
;;   %9 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %10 = icmp ne i32 %9, 0
;;   br i1 %10, label %b11, label %b12, !prof !7
;; b11:
;;   store i32 %4, ptr %homes, align 8, !tbaa !1
;;   %13 = getelementptr i8, ptr %homes, i64 8
;;   store i64 %3, ptr %13, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 26, ptr %homes) ]
;;   %14 = load i32, ptr %homes, align 8, !tbaa !1
;;   %15 = getelementptr i8, ptr %homes, i64 8
;;   %16 = load i64, ptr %15, align 8, !tbaa !1
;;   br label %b12
;; b12:
;;   %17 = phi i32 [ %4, %b1 ], [ %14, %b11 ]
;;   %18 = phi i64 [ %3, %b1 ], [ %16, %b11 ]
;;   br label %b1h
;; b8:
;;   ret i64 %3
;; }
