;; One function of each cycle of calls polls at its entry.
(module
  (func $even (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1))
      (else (call $odd (i32.sub (local.get 0) (i32.const 1))))))
  (func $odd (param i32) (result i32)
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
      (else (call $even (i32.sub (local.get 0) (i32.const 1)))))))
;; -- expected --
;; define hidden preserve_nonecc i32 @m0_f0(i32 %p0) #1 {
;; entry:
;;   %homes = alloca [1 x i64], align 16
;;   call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) #6
;;   %1 = load volatile i32, ptr @mvvm_flag, align 4, !tbaa !2
;;   %2 = icmp ne i32 %1, 0
;;   br i1 %2, label %b3, label %b4, !prof !7
;; b3:
;;   store i32 %p0, ptr %homes, align 8, !tbaa !1
;;   call preserve_nonecc void @mvvm_leave() #3 [ "deopt"(i32 0, i32 25, ptr %homes) ]
;;   %5 = load i32, ptr %homes, align 8, !tbaa !1
;;   br label %b4
;; b4:
;;   %6 = phi i32 [ %p0, %entry ], [ %5, %b3 ]
;;   %7 = icmp eq i32 %6, 0
;;   br i1 %7, label %b9, label %b8e
;; b9:
;;   br label %b8
;; b8e:
;;   %10 = sub i32 %6, 1
;;   %11 = call preserve_nonecc i32 @m0_f1(i32 %10) #2 [ "deopt"(i32 0, i32 39, ptr %homes) ]
;;   br label %b8
;; b8:
;;   %12 = phi i32 [ 1, %b9 ], [ %11, %b8e ]
;;   ret i32 %12
;; }
;; define hidden preserve_nonecc i32 @m0_f1(i32 %p0) #1 {
;; entry:
;;   %homes = alloca [1 x i64], align 16
;;   %1 = icmp eq i32 %p0, 0
;;   br i1 %1, label %b3, label %b2e
;; b3:
;;   br label %b2
;; b2e:
;;   %4 = sub i32 %p0, 1
;;   call void asm sideeffect "", "*m"(ptr elementtype([0 x i64]) %homes) #6
;;   %5 = call preserve_nonecc i32 @m0_f0(i32 %4) #2 [ "deopt"(i32 1, i32 58, ptr %homes) ]
;;   br label %b2
;; b2:
;;   %6 = phi i32 [ 0, %b3 ], [ %5, %b2e ]
;;   ret i32 %6
;; }
