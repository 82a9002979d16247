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
;;   br label %b1o
;; b1o:
;;   %2 = phi i32 [ %p0, %entry ], [ %38, %b35 ]
;;   %3 = phi i32 [ %p1, %entry ], [ %40, %b35 ]
;;   %4 = phi i32 [ 0, %entry ], [ %42, %b35 ]
;;   br label %b1h
;; b1h:
;;   %5 = phi i32 [ %2, %b1o ], [ %27, %b1 ]
;;   %6 = phi i32 [ %3, %b1o ], [ %6, %b1 ]
;;   %7 = phi i32 [ %4, %b1o ], [ %26, %b1 ]
;;   %8 = sub i32 %6, %5
;;   %9 = udiv i32 %8, 4
;;   %10 = sub i32 %9, 1
;;   %11 = call i32 @llvm.umin.i32(i32 %10, i32 4095)
;;   %12 = add i32 %11, 1
;;   %13 = urem i32 %8, 4
;;   %14 = icmp eq i32 %13, 0
;;   %15 = select i1 %14, i32 %12, i32 4096
;;   %16 = mul i32 %15, 4
;;   %17 = add i32 %5, %16
;;   br label %b18
;; b18:
;;   %19 = phi i32 [ %5, %b1h ], [ %27, %b18 ]
;;   %20 = phi i32 [ %7, %b1h ], [ %26, %b18 ]
;;   %21 = load ptr, ptr @m0_context, align 8, !tbaa !2
;;   %22 = zext i32 %19 to i64
;;   %23 = getelementptr i8, ptr %21, i64 %22
;;   %24 = getelementptr i8, ptr %23, i64 16
;;   %25 = load i32, ptr %24, align 1, !tbaa !3
;;   %26 = add i32 %20, %25
;;   %27 = add i32 %19, 4
;;   %28 = icmp ne i32 %27, %6
;;   %29 = icmp ne i32 %27, %17
;;   br i1 %29, label %b18, label %b30
;; b30:
;;   br i1 %28, label %b1, label %b31
;; b31:
;;   call void asm sideeffect "", "X"(i32 %27) #6
;;   call void asm sideeffect "", "X"(i32 %26) #6
;;   br label %b32
;; b1:
;;   %33 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %34 = icmp ne i32 %33, 0
;;   br i1 %34, label %b35, label %b1h, !prof !7
;; b35:
;;   store i32 %27, ptr %homes, align 8, !tbaa !1
;;   %36 = getelementptr i8, ptr %homes, i64 8
;;   store i32 %6, ptr %36, align 8, !tbaa !1
;;   %37 = getelementptr i8, ptr %homes, i64 16
;;   store i32 %26, ptr %37, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 33, ptr %homes) ]
;;   %38 = load i32, ptr %homes, align 8, !tbaa !1
;;   %39 = getelementptr i8, ptr %homes, i64 8
;;   %40 = load i32, ptr %39, align 8, !tbaa !1
;;   %41 = getelementptr i8, ptr %homes, i64 16
;;   %42 = load i32, ptr %41, align 8, !tbaa !1
;;   br label %b1o
;; b32:
;;   ret i32 %26
;; }
