;; Explicit tests where machines would not trap, or not in the same way.
(module
  (func (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (param i32 i32) (result i32) (i32.rem_s (local.get 0) (local.get 1)))
  (func (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 10)))
  (func (param f64) (result i32) (i32.trunc_f64_s (local.get 0))))
;; -- expected --
;; define hidden preserve_nonecc i32 @m0_f0(i32 %p0, i32 %p1) #0 {
;; entry:
;;   %1 = icmp eq i32 %p1, 0
;;   br i1 %1, label %trap2, label %b2, !prof !7
;; b2:
;;   %3 = icmp eq i32 %p0, -2147483648
;;   %4 = icmp eq i32 %p1, -1
;;   %5 = and i1 %3, %4
;;   br i1 %5, label %trap3, label %b6, !prof !7
;; b6:
;;   %7 = sdiv i32 %p0, %p1
;;   ret i32 %7
;; trap2:
;;   call void @mvvm_trap(i32 2) #4
;;   unreachable
;; trap3:
;;   call void @mvvm_trap(i32 3) #4
;;   unreachable
;; }
;; define hidden preserve_nonecc i32 @m0_f1(i32 %p0, i32 %p1) #0 {
;; entry:
;;   %1 = icmp eq i32 %p1, 0
;;   br i1 %1, label %trap2, label %b2, !prof !7
;; b2:
;;   %3 = icmp eq i32 %p1, -1
;;   %4 = select i1 %3, i32 1, i32 %p1
;;   %5 = srem i32 %p0, %4
;;   ret i32 %5
;; trap2:
;;   call void @mvvm_trap(i32 2) #4
;;   unreachable
;; }
;; define hidden preserve_nonecc i32 @m0_f2(i32 %p0) #0 {
;; entry:
;;   %1 = udiv i32 %p0, 10
;;   ret i32 %1
;; }
;; define hidden preserve_nonecc i32 @m0_f3(double %p0) #0 {
;; entry:
;;   %1 = fcmp ogt double %p0, 0xC1E0000000200000
;;   %2 = fcmp olt double %p0, 0x41E0000000000000
;;   %3 = and i1 %1, %2
;;   br i1 %3, label %b4, label %b5, !prof !8
;; b5:
;;   %6 = fcmp uno double %p0, %p0
;;   br i1 %6, label %trap4, label %trap3
;; b4:
;;   %7 = fptosi double %p0 to i32
;;   ret i32 %7
;; trap4:
;;   call void @mvvm_trap(i32 4) #4
;;   unreachable
;; trap3:
;;   call void @mvvm_trap(i32 3) #4
;;   unreachable
;; }
