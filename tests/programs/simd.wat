;; Vectors live at points of every kind: locals, operands below calls and loops, parameters beyond
;; the registers, several results, a global, an indirect call. Memory is what is compared.
(module
  (type $mix (func (param v128 i32) (result v128)))
  (memory (export "memory") 1)
  (global $sum (mut v128) (v128.const i64x2 1 2))
  (table funcref (elem $spin $blend))

  (func $spin (type $mix)
    (loop $again
      (local.set 0 (i8x16.shuffle 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 0
        (local.get 0) (local.get 0)))
      (br_if $again (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
    (local.get 0))

  (func $blend (type $mix)
    (local $n i32)
    (local.set $n (local.get 1))
    (loop $again (result v128)
      (i16x8.add (local.get 0) (i16x8.splat (local.get $n)))
      (local.set 0)
      (local.get 0)
      (br_if $again (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 3))) (i32.const 0)))))

  (func $many (param v128 v128 v128 v128 v128 v128 v128 v128 i32) (result v128 f64 v128)
    (local.set 7 (call $spin (local.get 7) (local.get 8)))
    (i32x4.add (i8x16.swizzle (local.get 0) (local.get 7)) (i64x2.sub (local.get 1) (local.get 6)))
    (f64x2.extract_lane 1 (f64x2.convert_low_i32x4_s (local.get 2)))
    (v128.bitselect (local.get 3) (local.get 4) (local.get 5)))

  (func $round (param $k i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $e v128)
    (local $x f64)
    (local.set $a (i32x4.splat (local.get $k)))
    (local.set $b (f32x4.convert_i32x4_u (local.get $a)))
    (local.set $c (i8x16.add_sat_s (local.get $b) (v128.const i8x16 1 -2 3 -4 5 -6 7 -8 9 -10 11 -12 13 -14 15 -16)))
    (local.set $d (i32x4.dot_i16x8_s (local.get $c) (v128.const i16x8 1 2 3 4 5 6 7 8)))
    (v128.store offset=32 (i32.const 0)
      (v128.xor (local.get $c)
        (i8x16.narrow_i16x8_u
          (call_indirect (type $mix) (local.get $d) (i32.const 7) (i32.const 1))
          (call_indirect (type $mix) (local.get $b) (i32.const 3) (i32.const 0)))))
    (local.set $e (call $blend (local.get $a) (local.get $k)))
    (call $many (local.get $a) (local.get $b) (local.get $c) (local.get $d) (local.get $e)
      (global.get $sum) (v128.load offset=32 (i32.const 0)) (local.get $a) (i32.const 2))
    (local.set $e)
    (local.set $x)
    (global.set $sum (i64x2.add (global.get $sum)
      (v128.or (i16x8.q15mulr_sat_s (local.get $e) (local.get $c))
        (f64x2.splat (local.get $x)))))
    (v128.store offset=64 (i32.mul (local.get $k) (i32.const 16))
      (i8x16.avgr_u (local.get $d) (global.get $sum)))
    (drop))

  (func (export "_start") (local $k i32)
    (loop $again
      (call $round (local.get $k))
      (br_if $again (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1)))
        (i32.const 5))))
    (v128.store (i32.const 0) (global.get $sum))))
