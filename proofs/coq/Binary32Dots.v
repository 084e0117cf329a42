(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Binary32Dots.v - dot products in binary32, bit by bit, as the machine's float has them.
 *
 * States    the tree of roundings that Rounding.v and Binary32.v bound, carried out with Flocq's
 *           IEEE 754 operations (b32_mult, b32_plus, b32_fma, ties to even): where the result is
 *           finite it is, as a real number, what `computed` says (`float_computed`), so B3 holds
 *           for its bits (`float_dot_bound`).
 * Orders    left_to_right: every product rounded, then every sum, as ref/systems/mpfr.c and plain C
 *           have it; fused: one rounding per term.
 *
 * Evaluate.v computes `dots` and writes binary32_dots.txt; tests/test_coq_values.c compares the
 * bits with those of the played float32 system and of C's float.
 *)
From Coq Require Import Reals ZArith List Permutation Lra String.
From Flocq Require Import Core IEEE754.Binary IEEE754.Bits.
Require Import Castle.Definitions Castle.RealFunctions Castle.Rounding Castle.Binary32
  Castle.Residues.
Import ListNotations.
Open Scope R_scope.

Definition even_choice (x : Z) : bool := negb (Z.even x).
Notation real := (B2R 24 128).
Notation finite := (is_finite 24 128).
Notation nearest := BinarySingleNaN.mode_NE.

Fixpoint float_evaluated (a b : nat -> Bits.binary32) (t : evaluation) : Bits.binary32 :=
  match t with
  | Product k => b32_mult nearest (a k) (b k)
  | Fma k r => b32_fma nearest (a k) (b k) (float_evaluated a b r)
  | Add l r => b32_plus nearest (float_evaluated a b l) (float_evaluated a b r)
  end.

(* ---- a finite result is the rounded real one ------------------------------------------------- *)

Definition rounding : R -> R := Binary32.binary32 even_choice.

Lemma overflow_not_finite (z : Bits.binary32) s :
  B2FF 24 128 z = binary_overflow 24 128 nearest s -> finite z = false.
Proof. destruct z; try discriminate; reflexivity. Qed.

(* Only finite operands give a finite result. *)
Lemma mult_operands x y :
  finite (b32_mult nearest x y) = true -> finite x = true /\ finite y = true.
Proof. destruct x, y; intros H; try discriminate H; split; reflexivity. Qed.

Lemma plus_operands x y :
  finite (b32_plus nearest x y) = true -> finite x = true /\ finite y = true.
Proof.
  destruct x as [|s| |], y as [|s'| |]; intros H; try discriminate H; try (split; reflexivity).
  destruct s, s'; discriminate H.
Qed.

Lemma fma_operands x y z :
  finite (b32_fma nearest x y z) = true ->
  finite x = true /\ finite y = true /\ finite z = true.
Proof.
  destruct x as [s|s|s|s], y as [s'|s'|s'|s'], z as [s''|s''|s''|s'']; intros H;
    try discriminate H; try (repeat split; reflexivity); destruct s, s', s''; discriminate H.
Qed.

Lemma mult_rounded x y :
  finite (b32_mult nearest x y) = true ->
  real (b32_mult nearest x y) = rounding (real x * real y).
Proof.
  intros H. unfold b32_mult in *.
  match goal with |- real (Bmult _ _ ?p ?q ?n ?m x y) = _ =>
    pose proof (Bmult_correct 24 128 p q n m x y) as Hc end.
  destruct (Rlt_bool _ _) in Hc; [exact (proj1 Hc)|].
  apply overflow_not_finite in Hc. congruence.
Qed.

Lemma plus_rounded x y :
  finite (b32_plus nearest x y) = true ->
  real (b32_plus nearest x y) = rounding (real x + real y).
Proof.
  intros H. destruct (plus_operands x y H) as [Hx Hy]. unfold b32_plus in *.
  match goal with |- real (Bplus _ _ ?p ?q ?n ?m x y) = _ =>
    pose proof (Bplus_correct 24 128 p q n m x y Hx Hy) as Hc end.
  destruct (Rlt_bool _ _) in Hc; [exact (proj1 Hc)|].
  apply proj1, overflow_not_finite in Hc. congruence.
Qed.

Lemma fma_rounded x y z :
  finite (b32_fma nearest x y z) = true ->
  real (b32_fma nearest x y z) = rounding (real x * real y + real z).
Proof.
  intros H. destruct (fma_operands x y z H) as (Hx & Hy & Hz). unfold b32_fma in *.
  match goal with |- real (Bfma _ _ ?p ?q ?n ?m x y z) = _ =>
    pose proof (Bfma_correct 24 128 p q n m x y z Hx Hy Hz) as Hc end.
  cbv zeta in Hc. destruct (Rlt_bool _ _) in Hc; [exact (proj1 Hc)|].
  apply overflow_not_finite in Hc. congruence.
Qed.

Theorem float_computed a b t :
  finite (float_evaluated a b t) = true ->
  real (float_evaluated a b t) =
  computed rounding (fun k => real (a k)) (fun k => real (b k)) t.
Proof.
  induction t as [k|k r IH|l IHl r IHr]; simpl; intros H.
  - now apply mult_rounded.
  - rewrite (fma_rounded _ _ _ H). now rewrite IH by apply (fma_operands _ _ _ H).
  - rewrite (plus_rounded _ _ H). rewrite IHl, IHr by apply (plus_operands _ _ H). reflexivity.
Qed.

(* B3, of the very bits *)
Theorem float_dot_bound a b t n :
  evaluates t n -> INR n * u32 < 1 -> finite (float_evaluated a b t) = true ->
  Rabs (real (float_evaluated a b t) - sum (K := reals) n (fun k => real (a k) * real (b k))) <=
  gamma u32 n * sum (K := reals) n (fun k => Rabs (real (a k) * real (b k))) + INR n * tiny32.
Proof.
  intros Ht Hn H. rewrite float_computed by assumption.
  apply binary32_product_bound; trivial. exact (Gradual even_choice).
Qed.

(* ---- two orders ------------------------------------------------------------------------------- *)

(* ((a_0 b_0 + a_1 b_1) + a_2 b_2) + .., n + 1 terms *)
Fixpoint left_to_right (n : nat) : evaluation :=
  match n with
  | O => Product 0
  | S m => Add (left_to_right m) (Product n)
  end.
Fixpoint fused (n : nat) : evaluation :=
  match n with
  | O => Product 0
  | S m => Fma n (fused m)
  end.

Lemma left_to_right_evaluates n : evaluates (left_to_right n) (S n).
Proof.
  unfold evaluates. induction n as [|n IH]; [reflexivity|].
  rewrite seq_S. simpl terms. now apply Permutation_app_tail.
Qed.

Lemma fused_evaluates n : evaluates (fused n) (S n).
Proof.
  unfold evaluates. induction n as [|n IH]; [reflexivity|].
  rewrite seq_S. simpl terms. rewrite IH. apply Permutation_cons_append.
Qed.

(* ---- the values ------------------------------------------------------------------------------- *)

(* A float's bits from a random word: sign and significand as they come, exponent field of
 * [least, least + spread). 127 is 1's; 0 makes a subnormal number. *)
Definition float_bits (least spread w : N) : N :=
  (N.shiftl (N.land w 1) 31
   + N.shiftl (least + N.land (N.shiftr w 40) 0xffff mod spread) 23
   + N.land (N.shiftr w 8) 0x7fffff)%N.

(* A case: what it is for, how many terms, the exponents of a and b, a seed. *)
Record dot_case := DotCase { about : string; count : nat; a_least : N; a_spread : N;
                             b_least : N; b_spread : N; seed : N }.

Definition a_bits (c : dot_case) (k : nat) : N :=
  float_bits (a_least c) (a_spread c) (mix (seed c + 2 * N.of_nat k)).
(* "cancel": the second half is the first with b's sign turned and the last bit of its significand
 * changed. *)
Definition paired (c : dot_case) (k : nat) : bool :=
  String.eqb (about c) "cancel" && (count c <=? 2 * k)%nat.
Definition a_of (c : dot_case) (k : nat) : N :=
  if paired c k then a_bits c (k - count c / 2) else a_bits c k.
Definition b_bits (c : dot_case) (k : nat) : N :=
  float_bits (b_least c) (b_spread c) (mix (seed c + 2 * N.of_nat k + 1)).
Definition b_of (c : dot_case) (k : nat) : N :=
  if paired c k then N.lxor (b_bits c (k - count c / 2)) 0x80000001 else b_bits c k.

Definition dot_bits (c : dot_case) (t : evaluation) : N :=
  Z.to_N (bits_of_b32 (float_evaluated (fun k => b32_of_bits (Z.of_N (a_of c k)))
                                       (fun k => b32_of_bits (Z.of_N (b_of c k))) t)).

(* The two results, then a and b. *)
Definition dot_values (c : dot_case) : string * list N :=
  (about c, dot_bits c (left_to_right (count c - 1)) :: dot_bits c (fused (count c - 1))
              :: List.map (a_of c) (seq 0 (count c)) ++ List.map (b_of c) (seq 0 (count c))).

Definition families : list (string * (nat * (N * N) * (N * N))) :=
  [("near-1", (8%nat, (125, 4), (125, 4)));            (* ordinary numbers *)
   ("spread", (16%nat, (97, 60), (97, 60)));           (* sizes 2^-60 to 2^60 *)
   ("cancel", (16%nat, (126, 3), (126, 3)));           (* what is left are last bits *)
   ("subnormal-terms", (8%nat, (60, 4), (62, 6)));     (* products near 2^-130 *)
   ("subnormal-inputs", (8%nat, (0, 1), (126, 20)));   (* a below 2^-126 *)
   ("vanishing", (8%nat, (50, 4), (51, 4)));           (* products near 2^-150 *)
   ("overflow", (8%nat, (187, 3), (190, 3)))]%N%string. (* some sums pass 2^128 *)

Definition dots : list (string * list N) :=
  flat_map (fun f : string * (nat * (N * N) * (N * N)) =>
    let '(name, (n, (la, sa), (lb, sb))) := f in
    List.map (fun i => dot_values (DotCase name n la sa lb sb (1000 * N.of_nat i)))
      (seq 1 5)) families.
