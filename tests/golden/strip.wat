;; An innermost counting loop runs in chunks, with a poll between them.
(module (memory 1)
  (func (param $p i32) (param $end i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (i32.load offset=16 (local.get $p))))
      (local.set $p (i32.add (local.get $p) (i32.const 4)))
      (br_if $again (i32.ne (local.get $p) (local.get $end))))
    (local.get $sum)))
;; -- expected --
;; define hidden preserve_nonecc i32 @m0_f0(i32 %p0, i32 %p1) #1 {
;; entry:
;;   %homes = alloca [3 x i64], align 16
;;   call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) #6
;;   br label %b1h
;; b1h:
;;   %2 = phi i32 [ %p0, %entry ], [ %41, %b33 ]
;;   %3 = phi i32 [ %p1, %entry ], [ %42, %b33 ]
;;   %4 = phi i32 [ 0, %entry ], [ %43, %b33 ]
;;   %5 = sub i32 %3, %2
;;   %6 = udiv i32 %5, 4
;;   %7 = sub i32 %6, 1
;;   %8 = call i32 @llvm.umin.i32(i32 %7, i32 4095)
;;   %9 = add i32 %8, 1
;;   %10 = urem i32 %5, 4
;;   %11 = icmp eq i32 %10, 0
;;   %12 = select i1 %11, i32 %9, i32 4096
;;   %13 = mul i32 %12, 4
;;   %14 = add i32 %2, %13
;;   br label %b15
;; b15:
;;   %16 = phi i32 [ %2, %b1h ], [ %24, %b15 ]
;;   %17 = phi i32 [ %4, %b1h ], [ %23, %b15 ]
;;   %18 = load ptr, ptr @m0_context, align 8, !tbaa !2
;;   %19 = zext i32 %16 to i64
;;   %20 = getelementptr i8, ptr %18, i64 %19
;;   %21 = getelementptr i8, ptr %20, i64 16
;;   %22 = load i32, ptr %21, align 1, !tbaa !3
;;   %23 = add i32 %17, %22
;;   %24 = add i32 %16, 4
;;   %25 = icmp ne i32 %24, %3
;;   %26 = icmp ne i32 %24, %14
;;   br i1 %26, label %b15, label %b27
;; b27:
;;   br i1 %25, label %b1, label %b28
;; b28:
;;   call void asm sideeffect "", "X"(i32 %24) #6
;;   call void asm sideeffect "", "X"(i32 %23) #6
;;   br label %b29
;; b1:
;;   %30 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %31 = icmp ne i32 %30, 0
;;   br i1 %31, label %b32, label %b33, !prof !7
;; b32:
;;   store i32 %24, ptr %homes, align 8, !tbaa !1
;;   %34 = getelementptr i8, ptr %homes, i64 8
;;   store i32 %3, ptr %34, align 8, !tbaa !1
;;   %35 = getelementptr i8, ptr %homes, i64 16
;;   store i32 %23, ptr %35, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 33, ptr %homes) ]
;;   %36 = load i32, ptr %homes, align 8, !tbaa !1
;;   %37 = getelementptr i8, ptr %homes, i64 8
;;   %38 = load i32, ptr %37, align 8, !tbaa !1
;;   %39 = getelementptr i8, ptr %homes, i64 16
;;   %40 = load i32, ptr %39, align 8, !tbaa !1
;;   br label %b33
;; b33:
;;   %41 = phi i32 [ %24, %b1 ], [ %36, %b32 ]
;;   %42 = phi i32 [ %3, %b1 ], [ %38, %b32 ]
;;   %43 = phi i32 [ %23, %b1 ], [ %40, %b32 ]
;;   br label %b1h
;; b29:
;;   ret i32 %23
;; }
