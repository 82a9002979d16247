;; The ninth integer parameter and the second result travel through mvvm_spill.
(module
  (func $two (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32 i32)
    (local.get 8) (local.get 0))
  (func (result i32)
    (call $two (i32.const 0) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4)
      (i32.const 5) (i32.const 6) (i32.const 7) (i32.const 8))
    (i32.add)))
;; -- expected --
;; define hidden preserve_nonecc i32 @m0_f0(i32 %p0, i32 %p1, i32 %p2, i32 %p3, i32 %p4, i32 %p5, i32 %p6, i32 %p7) #0 {
;; entry:
;;   %1 = load i32, ptr getelementptr (i8, ptr @mvvm_spill, i64 128), align 16, !tbaa !6
;;   store i32 %p0, ptr getelementptr (i8, ptr @mvvm_spill, i64 16), align 16, !tbaa !6
;;   ret i32 %1
;; }
;; define hidden preserve_nonecc i32 @m0_f1() #0 {
;; entry:
;;   store i32 8, ptr getelementptr (i8, ptr @mvvm_spill, i64 128), align 16, !tbaa !6
;;   %1 = call preserve_nonecc i32 @m0_f0(i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7)
;;   %2 = load i32, ptr getelementptr (i8, ptr @mvvm_spill, i64 16), align 16, !tbaa !6
;;   %3 = add i32 %1, %2
;;   ret i32 %3
;; }
