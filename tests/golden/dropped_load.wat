;; A load whose result nobody wants still traps.
(module (memory 1)
  (func (param i32) (drop (i32.load8_s offset=5 (local.get 0)))))
;; -- expected --
;; define hidden preserve_nonecc void @m0_f0(i32 %p0) #0 {
;; entry:
;;   %1 = load ptr, ptr @m0_context, align 8, !tbaa !2
;;   %2 = zext i32 %p0 to i64
;;   %3 = getelementptr i8, ptr %1, i64 %2
;;   %4 = getelementptr i8, ptr %3, i64 5
;;   %5 = load i8, ptr %4, align 1, !tbaa !3
;;   call void asm sideeffect "", "X"(i8 %5) #6
;;   %6 = sext i8 %5 to i32
;;   ret void
;; }
