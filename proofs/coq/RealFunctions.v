(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * RealFunctions.v - the paper's functions over the real numbers.
 *
 * States    the reals as a ring of Sums.v; sigmoid, SiLU and their derivatives; SiLU >=
 *           -0.27846455, so lookahead raises a logit by at most that; exp and 1/x are what
 *           OnlineSoftmax.v needs.
 * C files   ref/arithmetic.c and the functions SIGMOID, SILU, EXP, SILU_SLOPE, GATE_SLOPE of
 *           ref/matrix.h.
 *)
From Coq Require Import Reals Lra.
From Coquelicot Require Import Coquelicot.
Require Import Castle.Definitions Castle.Theorem1 Castle.Blocks Castle.OnlineSoftmax
  Castle.Blockwise.
Open Scope R_scope.

Canonical Structure reals : ring := Ring R 0 1 Rplus Rmult Rminus Ropp RTheory.

Definition sigmoid (z : R) : R := / (1 + exp (- z)).
Definition silu (z : R) : R := z * sigmoid z.

Definition gate_slope (g : R) : R := g * (1 - g).
Definition silu_slope (z : R) : R := sigmoid z * (1 + z * (1 - sigmoid z)).

(* The operator of the paper: d, scale (usually 1/sqrt d), and the mask *)
Definition real_castle (d : nat) (scale : R) (mask : nat -> nat -> bool) : operator reals :=
  Operator (K := reals) d scale mask sigmoid silu exp Rinv.
Definition default_scale (d : nat) : R := / sqrt (INR d).

Lemma sigmoid_denominator z : 0 < 1 + exp (- z).
Proof. pose proof (exp_pos (- z)). lra. Qed.

Theorem sigmoid_derivative z : is_derive sigmoid z (gate_slope (sigmoid z)).
Proof.
  pose proof (sigmoid_denominator z) as H. unfold sigmoid, gate_slope. auto_derive; [lra|].
  field. lra.
Qed.

Theorem silu_derivative z : is_derive silu z (silu_slope z).
Proof.
  pose proof (sigmoid_denominator z) as H. unfold silu, silu_slope, sigmoid.
  auto_derive; [lra|]. field. lra.
Qed.

(* ---- SiLU's least value ---------------------------------------------------------------------- *)

Lemma exp_above_series y : 0 <= y -> 1 + y + y ^ 2 / 2 + y ^ 3 / 6 + y ^ 4 / 24 <= exp y.
Proof.
  intros Hy.
  assert (H : sum_f_R0 (fun i => / INR (fact i) * y ^ i) 4 <= exp y).
  { apply sum_incr.
    - unfold exp. destruct (exist_exp y) as [e He]. exact He.
    - intros i. apply Rmult_le_pos; [|now apply pow_le].
      left. apply Rinv_0_lt_compat, INR_fact_lt_0. }
  simpl in H. simpl. lra.
Qed.

Lemma square_above a b z : 0 <= a -> a <= exp z -> b <= a * a -> b <= exp (2 * z).
Proof.
  intros Ha H Hb. replace (2 * z) with (z + z) by ring. rewrite exp_plus.
  assert (a * a <= exp z * exp z) by (apply Rmult_le_compat; lra). lra.
Qed.

Definition silu_floor : R := 0.27846455.

(* 1/c <= exp(1 + c): c is just above the root of c exp(1 + c) = 1. Six squarings, from (1 + c) /
 * 64. *)
Lemma silu_floor_exp : 1 <= silu_floor * exp (1 + silu_floor).
Proof.
  assert (H0 : 1.020176864228 <= exp ((1 + silu_floor) / 64)).
  { eapply Rle_trans; [|apply exp_above_series]; unfold silu_floor; simpl; lra. }
  assert (H1 : 1.040760834306 <= exp (2 * ((1 + silu_floor) / 64))).
  { eapply square_above; [|exact H0|]; lra. }
  assert (H2 : 1.083183114225 <= exp (2 * (2 * ((1 + silu_floor) / 64)))).
  { eapply square_above; [|exact H1|]; lra. }
  assert (H3 : 1.173285658942 <= exp (2 * (2 * (2 * ((1 + silu_floor) / 64))))).
  { eapply square_above; [|exact H2|]; lra. }
  assert (H4 : 1.376599237478 <= exp (2 * (2 * (2 * (2 * ((1 + silu_floor) / 64)))))).
  { eapply square_above; [|exact H3|]; lra. }
  assert (H5 : 1.895025460625 <= exp (2 * (2 * (2 * (2 * (2 * ((1 + silu_floor) / 64))))))).
  { eapply square_above; [|exact H4|]; lra. }
  assert (H6 : 3.591121496416 <= exp (2 * (2 * (2 * (2 * (2 * (2 * ((1 + silu_floor) / 64)))))))).
  { eapply square_above; [|exact H5|]; lra. }
  replace (2 * (2 * (2 * (2 * (2 * (2 * ((1 + silu_floor) / 64))))))) with (1 + silu_floor) in H6
    by field.
  unfold silu_floor in *. lra.
Qed.

(* The tangent of exp at 1 + c does the rest: y <= c (1 + exp y). *)
Theorem silu_least z : - silu_floor <= silu z.
Proof.
  assert (Hc : 0 < silu_floor) by (unfold silu_floor; lra).
  pose proof (sigmoid_denominator z) as Hd. pose proof (exp_pos (- z)) as He.
  assert (H : - z <= silu_floor * (1 + exp (- z))).
  { destruct (Rle_lt_dec (- z) silu_floor) as [Hz|Hz].
    - assert (0 < silu_floor * exp (- z)) by now apply Rmult_lt_0_compat. lra.
    - pose proof (exp_ineq1_le (- z - (1 + silu_floor))) as Ht.
      replace (exp (- z)) with (exp (1 + silu_floor) * exp (- z - (1 + silu_floor)))
        by (rewrite <- exp_plus; f_equal; ring).
      pose proof silu_floor_exp as H1.
      assert (H2 : 1 * (- z - silu_floor) <=
                   silu_floor * exp (1 + silu_floor) * exp (- z - (1 + silu_floor))).
      { apply Rmult_le_compat; lra. }
      lra. }
  unfold silu, sigmoid. apply (Rmult_le_reg_r (1 + exp (- z))); [assumption|].
  rewrite Rmult_assoc, Rinv_l by lra. lra.
Qed.

(* So a lookahead score raises a logit, sC - SiLU(sU), by at most silu_floor. *)
Corollary lookahead_raises_little d scale mask x t s :
  (score (real_castle d scale mask) x t s : R) <=
  causal_score (real_castle d scale mask) x t s + silu_floor.
Proof.
  set (c := real_castle d scale mask).
  change ((causal_score c x t s : R) - silu (lookahead_score c x t s) <=
          causal_score c x t s + silu_floor).
  pose proof (silu_least (lookahead_score c x t s)). lra.
Qed.

(* It lowers a logit without bound. *)
Theorem silu_unbounded bound : exists z, bound <= silu z.
Proof.
  exists (2 * Rabs bound). pose proof (Rabs_pos bound) as H. pose proof (Rle_abs bound).
  assert (He : exp (- (2 * Rabs bound)) <= 1).
  { rewrite <- exp_0. destruct (Rle_lt_or_eq_dec 0 (Rabs bound) H) as [Hb|<-].
    - apply Rlt_le, exp_increasing. lra.
    - right. f_equal. ring. }
  pose proof (exp_pos (- (2 * Rabs bound))).
  unfold silu, sigmoid. apply (Rmult_le_reg_r (1 + exp (- (2 * Rabs bound)))); [lra|].
  rewrite Rmult_assoc, Rinv_l by lra. nra.
Qed.

(* ---- exp and 1/x ----------------------------------------------------------------------------- *)

Theorem exp_rescalable : rescalable (K := reals) exp Rinv.
Proof.
  split; simpl.
  - intros a b. apply exp_plus.
  - apply exp_0.
  - apply Rinv_1.
  - intros a b y H. rewrite Rinv_mult. f_equal.
    assert (a <> 0) by (intros ->; lra). apply (Rmult_eq_reg_l a); [|assumption].
    rewrite H. now apply Rinv_r.
Qed.

(* Algorithm 1 with exp, for the paper's masks: with any block size and any reference points *)
Theorem real_blockwise_is_sequential d scale mask x L B meets reference t k :
  (1 <= B)%nat -> ahead mask -> meets_is_sound L B mask meets -> (t < L)%nat ->
  blockwise_output (real_castle d scale mask) x L B meets reference t k =
  output (real_castle d scale mask) x t k.
Proof. intros. apply blockwise_is_sequential; trivial. apply exp_rescalable. Qed.

Lemma sum_positive n (f : nat -> reals) :
  (0 < n)%nat -> (forall i, (i < n)%nat -> 0 < (f i : R)) -> 0 < (sum n f : R).
Proof.
  intros Hn Hf. assert (H : forall m, (m <= n)%nat -> 0 <= (sum m f : R)).
  { induction m as [|m IH]; intros Hm; simpl; [lra|]. specialize (Hf m ltac:(lia)).
    specialize (IH ltac:(lia)). lra. }
  destruct n as [|n]; [lia|]. simpl. specialize (H n ltac:(lia)).
  specialize (Hf n ltac:(lia)). lra.
Qed.

Theorem denominator_positive d scale mask x t :
  0 < (denominator (real_castle d scale mask) x t : R).
Proof. apply sum_positive; [lia|]. intros s _. apply exp_pos. Qed.

Lemma real_blockwise_l d scale mask x L B meets reference t :
  (1 <= B)%nat -> ahead mask -> meets_is_sound L B mask meets -> (t < L)%nat ->
  let c := real_castle d scale mask in
  exp (blockwise_m c x L B meets reference t) * (blockwise_l c x L B meets reference t : R) =
    denominator c x t /\
  0 < (blockwise_l c x L B meets reference t : R).
Proof.
  intros HB Hm Hs Ht c.
  assert (H : exp (blockwise_m c x L B meets reference t) *
              (blockwise_l c x L B meets reference t : R) = denominator c x t).
  { now apply (blockwise_lse c x L B meets reference HB Hm Hs exp_rescalable). }
  split; [exact H|].
  pose proof (denominator_positive d scale mask x t) as Hp. fold c in Hp. rewrite <- H in Hp.
  apply (Rmult_lt_reg_l _ _ _ (exp_pos (blockwise_m c x L B meets reference t))).
  now rewrite Rmult_0_r.
Qed.

(* lse = m + log l *)
Theorem real_blockwise_lse d scale mask x L B meets reference t :
  (1 <= B)%nat -> ahead mask -> meets_is_sound L B mask meets -> (t < L)%nat ->
  let c := real_castle d scale mask in
  (blockwise_m c x L B meets reference t : R) + ln (blockwise_l c x L B meets reference t) =
  ln (denominator c x t).
Proof.
  intros HB Hm Hs Ht c.
  destruct (real_blockwise_l d scale mask x L B meets reference t HB Hm Hs Ht) as [H Hl].
  fold c in H, Hl. rewrite <- H, ln_mult, ln_exp; trivial. apply exp_pos.
Qed.
