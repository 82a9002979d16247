;; An indirect call tests index and type before it reads the code's address.
(module (table 3 funcref)
  (func (param i32) (result i32) (call_indirect (param i32) (result i32) (i32.const 7) (local.get 0))))
;; -- expected --
;; define hidden preserve_nonecc i32 @m0_f0(i32 %p0) #1 {
;; entry:
;;   %homes = alloca [1 x i64], align 16
;;   %1 = load i32, ptr getelementptr (i8, ptr @m0_tables, i64 8), align 4, !tbaa !5
;;   %2 = icmp uge i32 %p0, %1
;;   br i1 %2, label %trap7, label %b3, !prof !7
;; b3:
;;   %4 = load ptr, ptr getelementptr (i8, ptr @m0_tables, i64 0), align 8, !tbaa !5
;;   %5 = zext i32 %p0 to i64
;;   %6 = getelementptr [16 x i8], ptr %4, i64 %5
;;   %7 = getelementptr i8, ptr %6, i64 8
;;   %8 = load i32, ptr %7, align 8, !tbaa !5
;;   %9 = icmp eq i32 %8, 0
;;   br i1 %9, label %b10, label %b11, !prof !8
;; b11:
;;   call void @mvvm_trap_indirect(ptr @m0_tables, i32 %p0) #4
;;   unreachable
;; b10:
;;   %12 = load ptr, ptr %6, align 16, !tbaa !5
;;   call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) #6
;;   %13 = call preserve_nonecc i32 %12(i32 7) #2 [ "deopt"(i32 0, i32 35, ptr %homes) ]
;;   ret i32 %13
;; trap7:
;;   call void @mvvm_trap(i32 7) #4
;;   unreachable
;; }
