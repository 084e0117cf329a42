(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Residues.v - the integers modulo 2^61 - 1, as ref/systems/field.c has them; they compute.
 *
 * States    they are a commutative ring (`residues`), so that every theorem over rings holds for
 *           them; and the functions that stand for sigmoid, SiLU, exp and 1/x there: the same fixed
 *           functions as in C, of a mixer of 64-bit words.
 * C file    ref/systems/field.c: reduce, mix, function, inverse, map_run.
 *)
From Coq Require Import NArith Lia Eqdep_dec.
Require Import Castle.Definitions.
Open Scope N_scope.

Definition prime : N := 2305843009213693951. (* 2^61 - 1 *)

(* Numbers below the prime. Two of them are equal where their values are. *)
Record residue := Residue { value : N; is_reduced : (value <? prime) = true }.

Lemma residue_eq a b : value a = value b -> a = b.
Proof.
  destruct a as [a Ha], b as [b Hb]. simpl. intros <-. f_equal.
  apply (UIP_dec Bool.bool_dec).
Qed.

Lemma mod_is_reduced n : (n mod prime <? prime) = true.
Proof. apply N.ltb_lt. now apply N.mod_lt. Qed.

(* 2^61 = 1: the upper bits are added to the lower 61, as in C. What is still too large, which no sum
 * or product of residues is, is divided. *)
Definition folded (n : N) : N :=
  let s := N.land n prime + N.shiftr n 61 in if s <? prime then s else s - prime.

Lemma folded_mod n : folded n mod prime = n mod prime.
Proof.
  unfold folded. change (N.land n prime) with (N.land n (N.ones 61)).
  rewrite N.land_ones, N.shiftr_div_pow2.
  pose proof (N.div_mod n (2 ^ 61) ltac:(discriminate)) as H.
  set (s := n mod 2 ^ 61 + n / 2 ^ 61) in *.
  assert (Hn : n = s + n / 2 ^ 61 * prime).
  { change prime with (2 ^ 61 - 1). change (2 ^ 61) with 2305843009213693952 in *. lia. }
  clearbody s. revert Hn. generalize (n / 2 ^ 61). intros q -> .
  rewrite N.mod_add by discriminate.
  destruct (N.ltb_spec s prime) as [|Hs]; [reflexivity|].
  replace (s mod prime) with ((s - prime + 1 * prime) mod prime) by (f_equal; lia).
  now rewrite N.mod_add by discriminate.
Qed.

Definition reduce (n : N) : residue :=
  let r := folded n in
  match Bool.bool_dec (r <? prime) true with
  | left small => Residue r small
  | right _ => Residue (n mod prime) (mod_is_reduced n)
  end.

Lemma reduce_value n : value (reduce n) = n mod prime.
Proof.
  unfold reduce. destruct (Bool.bool_dec (folded n <? prime) true) as [H|H]; simpl; [|reflexivity].
  rewrite <- folded_mod. symmetry. now apply N.mod_small, N.ltb_lt.
Qed.

Definition plus a b := reduce (value a + value b).
Definition times a b := reduce (value a * value b).
Definition negative a := reduce (prime - value a).
Definition minus a b := reduce (value a + (prime - value b)).

Lemma value_below a : value a < prime.
Proof. destruct a as [a Ha]. now apply N.ltb_lt. Qed.

Lemma value_small a : value a mod prime = value a.
Proof. apply N.mod_small, value_below. Qed.

(* ---- the ring laws ---------------------------------------------------------------------------- *)

Ltac by_values := intros; apply residue_eq; unfold plus, times, minus, negative;
  rewrite ?reduce_value.

Lemma plus_comm a b : plus a b = plus b a.
Proof. by_values. now rewrite N.add_comm. Qed.

Lemma plus_assoc a b c : plus a (plus b c) = plus (plus a b) c.
Proof.
  by_values. rewrite N.add_mod_idemp_l, N.add_mod_idemp_r, N.add_assoc by discriminate.
  reflexivity.
Qed.

Lemma plus_zero a : plus (reduce 0) a = a.
Proof. by_values. apply value_small. Qed.

Lemma times_comm a b : times a b = times b a.
Proof. by_values. now rewrite N.mul_comm. Qed.

Lemma times_assoc a b c : times a (times b c) = times (times a b) c.
Proof.
  by_values. rewrite N.mul_mod_idemp_l, N.mul_mod_idemp_r, N.mul_assoc by discriminate.
  reflexivity.
Qed.

Lemma times_one a : times (reduce 1) a = a.
Proof. by_values. change (1 mod prime) with 1. now rewrite N.mul_1_l, value_small. Qed.

Lemma times_plus a b c : times (plus a b) c = plus (times a c) (times b c).
Proof.
  by_values. rewrite N.mul_mod_idemp_l, <- N.add_mod, N.mul_add_distr_r by discriminate.
  reflexivity.
Qed.

Lemma minus_negative a b : minus a b = plus a (negative b).
Proof. by_values. now rewrite N.add_mod_idemp_r by discriminate. Qed.

Lemma plus_negative a : plus a (negative a) = reduce 0.
Proof.
  rewrite <- minus_negative. by_values. pose proof (value_below a).
  replace (value a + (prime - value a)) with prime by lia. reflexivity.
Qed.

Theorem residue_laws : ring_theory (reduce 0) (reduce 1) plus times minus negative eq.
Proof.
  exact (mk_rt _ _ _ _ _ _ _ plus_zero plus_comm plus_assoc times_one times_comm times_assoc
           times_plus minus_negative plus_negative).
Qed.

Definition residues : ring :=
  Ring residue (reduce 0) (reduce 1) plus times minus negative residue_laws.

(* ---- the functions of the field system ------------------------------------------------------- *)

(* 1/a by Euclid's algorithm: u = a x and v = a y all along, and u is 1 at the end. 128 steps are more
 * than numbers of 61 bits take. No theorem needs that it is 1/a; FieldValues.v checks it wherever
 * it is used. (C takes a^(p-2).) *)
Fixpoint euclid (steps : nat) (u v : N) (x y : residue) : residue :=
  match steps, v with
  | O, _ | _, 0 => x
  | S more, _ => let (q, r) := N.div_eucl u v in
                 euclid more v r y (minus x (times (reduce q) y))
  end.
Definition inverse_residue (a : residue) : residue :=
  euclid 128 prime (value a) (reduce 0) (reduce 1).

(* Words of 64 bits; splitmix64's finaliser *)
Definition word (n : N) : N := N.land n 0xffffffffffffffff.
Definition fold_word (x by_ : N) : N := N.lxor x (N.shiftr x by_).
Definition mix (x : N) : N :=
  let x := word (x + 0x9e3779b97f4a7c15) in
  let x := word (fold_word x 30 * 0xbf58476d1ce4e5b9) in
  let x := word (fold_word x 27 * 0x94d049bb133111eb) in
  fold_word x 31.

(* As C's field_random draws; the prime itself, which C skips, has not come up. *)
Definition drawn (state : N) : residue := reduce (N.shiftr (mix state) 3).

Section Functions.

Variable key : N.

(* The key is mixed once. *)
Definition arbitrary (salt : N) : residue -> residue :=
  let salted := mix (word (key + salt)) in fun a => reduce (mix (N.lxor salted (value a))).

Definition residue_sigmoid : residue -> residue := arbitrary 1.
Definition residue_silu : residue -> residue :=
  let sigmoid := residue_sigmoid in fun a => times a (sigmoid a).
Definition residue_exp : residue -> residue :=
  let other := arbitrary 2 in fun a => if value a =? 0 then reduce 1 else other a.

(* sigmoid' as a function of g = sigmoid, and SiLU' *)
Definition residue_gate_slope (g : residue) : residue := times g (minus (reduce 1) g).
Definition residue_silu_slope : residue -> residue :=
  let sigmoid := residue_sigmoid in
  fun a => let g := sigmoid a in
           times g (plus (reduce 1) (times a (minus (reduce 1) g))).

End Functions.
