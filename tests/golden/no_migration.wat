;; options: migration=no
;; The same conventions without points: no homes, no polls, no records.
(module
  (import "env" "h" (func $h))
  (func (param i32) (result i32)
    (loop $again (call $h)
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 0)))
;; -- expected --
;; define hidden preserve_nonecc i32 @m0_f1(i32 %p0) #0 {
;; entry:
;;   br label %b1
;; b1:
;;   %2 = phi i32 [ %p0, %entry ], [ %3, %b1 ]
;;   call preserve_nonecc void @m0_f0()
;;   %3 = sub i32 %2, 1
;;   %4 = icmp ne i32 %3, 0
;;   br i1 %4, label %b1, label %b5
;; b5:
;;   ret i32 %3
;; }
