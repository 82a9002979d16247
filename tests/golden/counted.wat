;; The iterations are known: behind the poll $p follows from $n, which is brought within bounds, and both are said to be within.
(module (memory 1)
  (func (local $n i32) (local $p i32)
    (local.set $n (i32.const 100000))
    (local.set $p (i32.const -8))
    (loop $again
      (local.set $p (i32.add (local.get $p) (i32.const 12)))
      (i32.store (i32.and (local.get $p) (i32.const 1023)) (local.get $n))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 4)))))))
;; -- expected --
;; define hidden preserve_nonecc void @m0_f0() #1 {
;; entry:
;;   %homes = alloca [2 x i64], align 16
;;   call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) #6
;;   br label %b1o
;; b1o:
;;   %2 = phi i32 [ 100000, %entry ], [ %43, %b36 ]
;;   %3 = phi i32 [ -8, %entry ], [ %45, %b36 ]
;;   br label %b1h
;; b1h:
;;   %4 = phi i32 [ %2, %b1o ], [ %28, %b1 ]
;;   %5 = phi i32 [ %3, %b1o ], [ %23, %b1 ]
;;   %6 = sub i32 %4, 4
;;   %7 = icmp ult i32 %6, 99997
;;   call void @llvm.assume(i1 %7)
;;   %8 = sub i32 %5, -8
;;   %9 = icmp ult i32 %8, 299989
;;   call void @llvm.assume(i1 %9)
;;   %10 = sub i32 %4, 0
;;   %11 = udiv i32 %10, 4
;;   %12 = sub i32 %11, 1
;;   %13 = call i32 @llvm.umin.i32(i32 %12, i32 4095)
;;   %14 = add i32 %13, 1
;;   %15 = urem i32 %10, 4
;;   %16 = icmp eq i32 %15, 0
;;   %17 = select i1 %16, i32 %14, i32 4096
;;   %18 = mul i32 %17, -4
;;   %19 = add i32 %4, %18
;;   br label %b20
;; b20:
;;   %21 = phi i32 [ %4, %b1h ], [ %28, %b20 ]
;;   %22 = phi i32 [ %5, %b1h ], [ %23, %b20 ]
;;   %23 = add i32 %22, 12
;;   %24 = and i32 %23, 1023
;;   %25 = load ptr, ptr @m0_context, align 8, !tbaa !2
;;   %26 = zext i32 %24 to i64
;;   %27 = getelementptr i8, ptr %25, i64 %26
;;   store i32 %21, ptr %27, align 1, !tbaa !3
;;   %28 = sub i32 %21, 4
;;   %29 = icmp ne i32 %28, 0
;;   %30 = icmp ne i32 %28, %19
;;   br i1 %30, label %b20, label %b31
;; b31:
;;   br i1 %29, label %b1, label %b32
;; b32:
;;   call void asm sideeffect "", "X"(i32 %28) #6
;;   call void asm sideeffect "", "X"(i32 %23) #6
;;   br label %b33
;; b1:
;;   %34 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %35 = icmp ne i32 %34, 0
;;   br i1 %35, label %b36, label %b1h, !prof !7
;; b36:
;;   store i32 %28, ptr %homes, align 8, !tbaa !1
;;   %37 = getelementptr i8, ptr %homes, i64 8
;;   store i32 %23, ptr %37, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 40, ptr %homes) ]
;;   %38 = load i32, ptr %homes, align 8, !tbaa !1
;;   %39 = sub i32 100000, %38
;;   %40 = udiv i32 %39, 4
;;   %41 = call i32 @llvm.umin.i32(i32 %40, i32 24999)
;;   %42 = mul i32 %41, -4
;;   %43 = add i32 %42, 100000
;;   %44 = mul i32 %41, 12
;;   %45 = add i32 %44, -8
;;   br label %b1o
;; b33:
;;   ret void
;; }
