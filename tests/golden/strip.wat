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
;;   br label %b1
;; b1:
;;   %2 = phi i32 [ %p0, %entry ], [ %38, %b41 ]
;;   %3 = phi i32 [ %p1, %entry ], [ %17, %b41 ]
;;   %4 = phi i32 [ 0, %entry ], [ %37, %b41 ]
;;   %5 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %6 = icmp ne i32 %5, 0
;;   br i1 %6, label %b7, label %b8, !prof !7
;; b7:
;;   store i32 %2, ptr %homes, align 8, !tbaa !1
;;   %9 = getelementptr i8, ptr %homes, i64 8
;;   store i32 %3, ptr %9, align 8, !tbaa !1
;;   %10 = getelementptr i8, ptr %homes, i64 16
;;   store i32 %4, ptr %10, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 33, ptr %homes) ]
;;   %11 = load i32, ptr %homes, align 8, !tbaa !1
;;   %12 = getelementptr i8, ptr %homes, i64 8
;;   %13 = load i32, ptr %12, align 8, !tbaa !1
;;   %14 = getelementptr i8, ptr %homes, i64 16
;;   %15 = load i32, ptr %14, align 8, !tbaa !1
;;   br label %b8
;; b8:
;;   %16 = phi i32 [ %2, %b1 ], [ %11, %b7 ]
;;   %17 = phi i32 [ %3, %b1 ], [ %13, %b7 ]
;;   %18 = phi i32 [ %4, %b1 ], [ %15, %b7 ]
;;   %19 = sub i32 %17, %16
;;   %20 = udiv i32 %19, 4
;;   %21 = sub i32 %20, 1
;;   %22 = call i32 @llvm.umin.i32(i32 %21, i32 4095)
;;   %23 = add i32 %22, 1
;;   %24 = urem i32 %19, 4
;;   %25 = icmp eq i32 %24, 0
;;   %26 = select i1 %25, i32 %23, i32 4096
;;   %27 = mul i32 %26, 4
;;   %28 = add i32 %16, %27
;;   br label %b29
;; b29:
;;   %30 = phi i32 [ %16, %b8 ], [ %38, %b29 ]
;;   %31 = phi i32 [ %18, %b8 ], [ %37, %b29 ]
;;   %32 = load ptr, ptr @m0_context, align 8, !tbaa !2
;;   %33 = zext i32 %30 to i64
;;   %34 = getelementptr i8, ptr %32, i64 %33
;;   %35 = getelementptr i8, ptr %34, i64 16
;;   %36 = load i32, ptr %35, align 1, !tbaa !3
;;   %37 = add i32 %31, %36
;;   %38 = add i32 %30, 4
;;   %39 = icmp ne i32 %38, %17
;;   %40 = icmp ne i32 %38, %28
;;   br i1 %40, label %b29, label %b41
;; b41:
;;   br i1 %39, label %b1, label %b42
;; b42:
;;   call void asm sideeffect "", "X"(i32 %38) #6
;;   call void asm sideeffect "", "X"(i32 %37) #6
;;   ret i32 %37
;; }
