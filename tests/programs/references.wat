;; References live at points of every kind: in locals, globals, operands, parameters, results of calls, blocks
;; and loops; function references are put into a table behind the point and called. Externrefs are null.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (type $fun (func (param i64) (result i64)))
  (memory (export "memory") 1)
  (global $at (mut i32) (i32.const 64))
  (global $kept (mut funcref) (ref.null func))
  (global $other (mut funcref) (ref.func $triple))
  (global $fixed funcref (ref.func $slow))
  (global $host (mut externref) (ref.null extern))
  (global $zero (mut i32) (i32.const 0))  ;; no constant for a compiler: a loop to it is polled
  (table $t 2 funcref)
  (elem declare func $triple $slow $next)

  (func $note (param $value i64)
    (i64.store (global.get $at) (local.get $value))
    (global.set $at (i32.add (global.get $at) (i32.const 8))))

  (func $triple (type $fun) (i64.mul (local.get 0) (i64.const 3)))
  (func $slow (type $fun)
    (local $n i32)
    (local.set $n (i32.const 3))
    (loop $again
      (local.set 0 (i64.add (i64.rotl (local.get 0) (i64.const 7)) (i64.extend_i32_u (local.get $n))))
      (br_if $again (i32.ne (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (global.get $zero))))
    (local.get 0))
  (func $next (type $fun) (i64.add (call $slow (local.get 0)) (i64.const 1)))

  ;; Calls a reference: its only way is through a table. The caller's references wait meanwhile.
  (func $apply (param $f funcref) (param $value i64) (result i64)
    (table.set $t (i32.const 1) (local.get $f))
    (call_indirect $t (type $fun) (local.get $value) (i32.const 1)))

  ;; Three references and other values through a loop's parameters, changing places each time.
  (func $rotate (param $n i32) (param funcref funcref funcref) (result funcref funcref funcref i64)
    (local $a funcref) (local $b funcref) (local $c funcref) (local $sum i64)
    (local.get 1) (local.get 2) (local.get 3) (local.get $sum)
    (loop $again (param funcref funcref funcref i64) (result funcref funcref funcref i64)
      (local.set $sum)
      (local.set $c)
      (local.set $b)
      (local.set $a)
      (local.get $b) (local.get $c) (local.get $a)
      (i64.add (call $apply (local.get $a) (local.get $sum)) (i64.extend_i32_u (local.get $n)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  ;; References wait as operands below a call, and below a loop.
  (func $below (param $which i32) (result i64)
    (local $n i32) (local $sum i64)
    (select (result funcref) (ref.func $triple) (global.get $fixed) (local.get $which))
    (ref.null extern)
    (ref.func $next)
    (call $slow (i64.const 5))
    (local.set $sum)
    (loop $again
      (local.set $sum (i64.xor (call $slow (local.get $sum)) (i64.const 3)))
      (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 2))))
    (global.set $kept)
    (ref.is_null)
    (local.set $n)
    (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $n))))
    (call $apply (local.get $sum))
    (i64.add (call $apply (global.get $kept) (local.get $sum))))

  ;; A frame that leaves its place to another one hands references on.
  (func $pass (param $n i32) (param $f funcref) (param $x externref) (param $g funcref) (result i64)
    (if (i32.eqz (local.get $n))
      (then
        (table.set $t (i32.const 0) (local.get $g))
        (return_call_indirect $t (type $fun)
          (call $apply (local.get $f) (i64.extend_i32_u (ref.is_null (local.get $x)))) (i32.const 0))))
    (global.set $other (local.get $f))
    (return_call $pass (i32.sub (local.get $n) (i32.const 1)) (local.get $g)
      (global.get $host) (local.get $f)))

  (func (export "_start")
    (local $f funcref) (local $g funcref) (local $x externref) (local $k i32)
    (loop $again
      (local.set $f (global.get $other))
      (call $rotate (i32.add (local.get $k) (i32.const 2)) (local.get $f) (ref.func $next) (global.get $fixed))
      (call $note)
      (global.set $kept)
      (local.set $g)
      (drop)
      (call $note (call $apply (global.get $kept) (i64.const 11)))
      (call $note (call $below (i32.and (local.get $k) (i32.const 1))))
      (call $note (call $apply (local.get $g) (i64.const 13)))
      (call $note (call $pass (i32.add (local.get $k) (i32.const 2)) (local.get $g) (local.get $x)
        (global.get $kept)))
      (call $note (call $apply (local.get $f) (i64.const 17)))
      (call $note (i64.extend_i32_u (ref.is_null (local.get $x))))
      (br_if $again (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 3))))
    (call $note (call $apply (global.get $other) (i64.const 19)))
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.sub (global.get $at) (i32.const 64)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    ;; nothing has been put there since it was emptied, before the last move: this traps
    (table.set $t (i32.const 0) (ref.null func))
    (drop (call $slow (i64.const 1)))
    (drop (call_indirect $t (type $fun) (i64.const 0) (i32.const 0)))))
