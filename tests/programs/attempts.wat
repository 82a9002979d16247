;; Functions that only read are tried without points, then called: short searches and ones that take longer than an
;; attempt does; callers with operands below and locals that live on. Small loops that poll are lowered several times.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $at (mut i32) (i32.const 64))
  (func $put (param $x i64)
    (i64.store (global.get $at) (local.get $x))
    (global.set $at (i32.add (global.get $at) (i32.const 8))))
  ;; Writes what was put since the last flush.
  (func $flush
    (i32.store (i32.const 0) (i32.const 64))
    (i32.store (i32.const 4) (i32.sub (global.get $at) (i32.const 64)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (global.set $at (i32.const 64)))

  ;; A list: node k at 4096 + 8k holds the next one's address and a number; the last one's next is 0.
  (func $make (param $nodes i32)
    (local $node i32)
    (local.set $node (i32.const 4096))
    (loop $again
      (i32.store (local.get $node) (i32.add (local.get $node) (i32.const 8)))
      (i32.store offset=4 (local.get $node) (i32.mul (local.get $node) (i32.const 2654435761)))
      (local.set $node (i32.add (local.get $node) (i32.const 8)))
      (br_if $again (local.tee $nodes (i32.sub (local.get $nodes) (i32.const 1)))))
    (i32.store (i32.sub (local.get $node) (i32.const 8)) (i32.const 0)))

  ;; Tried: how many nodes there are.
  (func $length (param $node i32) (result i32)
    (local $n i32)
    (block $end
      (br_if $end (i32.eqz (local.get $node)))
      (loop $again
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (local.tee $node (i32.load (local.get $node))))))
    (local.get $n))
  ;; Tried, with two loops: the sum of the numbers up to a node that holds $last, times the nodes behind.
  (func $sum (param $node i32) (param $last i32) (result i32)
    (local $sum i32) (local $n i32)
    (block $found
      (loop $again
        (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $node))))
        (br_if $found (i32.eq (i32.load offset=4 (local.get $node)) (local.get $last)))
        (br_if $again (local.tee $node (i32.load (local.get $node)))))
      (return (i32.const -1)))
    (loop $again
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (local.tee $node (i32.load (local.get $node)))))
    (i32.mul (local.get $sum) (local.get $n)))
  ;; Tried, and stores behind its loop: once, whichever way it was done. No result.
  (func $append (param $node i32) (param $number i32)
    (loop $again
      (if (i32.load (local.get $node))
        (then
          (local.set $node (i32.load (local.get $node)))
          (br $again))))
    (i32.store offset=4 (local.get $node)
      (i32.add (i32.load offset=4 (local.get $node)) (local.get $number))))
  ;; Tried by strips: are two pieces of memory the same? A strip may end before they do.
  (func $differ (param $a i32) (param $b i32) (param $n i32) (result i32)
    (block $same
      (br_if $same (i32.eqz (local.get $n)))
      (loop $again
        (if (i32.ne (i32.load8_u (local.get $a)) (i32.load8_u (local.get $b)))
          (then (return (local.get $n))))
        (local.set $a (i32.add (local.get $a) (i32.const 1)))
        (local.set $b (i32.add (local.get $b) (i32.const 1)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (i32.const 0))

  ;; Operands of three types below an attempt, some of them at home, and locals behind it.
  (func $deep (param $node i32) (param $a i64) (param $d f64) (result i64)
    (local $n i32) (local $old i32)
    (local.get $a)
    (i64.trunc_f64_s (f64.add (local.get $d) (block (result f64)
      (local.set $n (i32.const 2))
      (loop $again
        (local.set $old (i32.mul (local.get $old) (i32.const 3)))
        (local.set $old (i32.add (local.get $old) (call $length (local.get $node))))
        (call $append (local.get $node) (local.get $n))
        (local.set $a (i64.add (local.get $a) (i64.extend_i32_u (local.get $old))))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (f64.convert_i32_s (local.get $old)))))
    i64.add
    (i64.add (i64.extend_i32_u (call $length (local.get $node))))
    (i64.xor (local.get $a))
    (i64.add (i64.trunc_f64_s (local.get $d))))

  ;; Not tried, since it sets a global in its loop; lowered several times. It leaves with what it carries, or far out.
  (global $seen (mut i64) (i64.const 0))
  (func $visit (param $node i32) (param $stop i32) (result i32)
    (block $out (result i32)
      (local.get $node)
      (loop $again (param i32) (result i32)
        (local.tee $node)
        (global.set $seen (i64.add (global.get $seen) (i64.const 1)))
        (br_if $out (i32.eq (local.get $node) (local.get $stop)))
        i32.load
        (br_if $again (local.tee $node) (i32.ne (local.get $node) (i32.const 0)))
        (i32.const 7)
        i32.add)
      (i32.const 1000)
      i32.add))

  (func $all (param $nodes i32)
    (local $last i32)
    (call $make (local.get $nodes))
    (local.set $last (i32.add (i32.const 4088) (i32.shl (local.get $nodes) (i32.const 3))))
    (call $put (i64.extend_i32_u (call $length (i32.const 0))))
    (call $put (i64.extend_i32_u (call $length (i32.const 4096))))
    (call $put (i64.extend_i32_u (call $sum (i32.const 4096) (i32.load offset=4 (local.get $last)))))
    (call $put (i64.extend_i32_u (call $sum (i32.const 4096) (i32.const 1))))
    (call $put (call $deep (i32.const 4096) (i64.const 0x123456789abcdef) (f64.const 1e10)))
    (call $put (i64.extend_i32_u (call $visit (i32.const 4096) (local.get $last))))
    (call $put (i64.extend_i32_u (call $visit (i32.const 4096) (i32.const 1))))
    (call $put (global.get $seen))
    (call $put (i64.load (local.get $last)))
    (call $flush))
  (func (export "_start")
    (call $all (i32.const 1))
    (call $all (i32.const 2))
    (call $all (i32.const 5))
    (call $all (i32.const 64))
    (call $all (i32.const 65))
    (call $put (i64.extend_i32_u (call $differ (i32.const 8192) (i32.const 16384) (i32.const 0))))
    (call $put (i64.extend_i32_u (call $differ (i32.const 8192) (i32.const 16384) (i32.const 4096))))
    (call $put (i64.extend_i32_u (call $differ (i32.const 8192) (i32.const 16384) (i32.const 4097))))
    (i32.store8 (i32.const 24000) (i32.const 1))
    (call $put (i64.extend_i32_u (call $differ (i32.const 8192) (i32.const 16384) (i32.const 8192))))
    (call $put (i64.extend_i32_u (call $length (i32.const 4096))))
    (call $flush)
    (i32.store (i32.const 4608) (i32.const -4))  ;; the last node leads nowhere: the call traps behind its attempt
    (call $append (i32.const 4096) (i32.const 1))))
