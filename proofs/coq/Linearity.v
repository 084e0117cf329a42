(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Linearity.v - what scaling, adding and shifting inputs does.
 *
 * States    O is linear in VC; SU is linear in VU and in QC; one vector added to every KC row leaves
 *           O as it was and multiplies the softmax's denominator (so that lse is shifted); a token's
 *           own score is purely causal; L = 1 gives O = VC.
 * Needs     of exp and 1/x, where they matter, what OnlineSoftmax.v needs (`rescalable`).
 * C files   ref/sequential.c, ref/parallel.c.
 *)
Require Import Castle.Definitions Castle.Causality Castle.Decode Castle.OnlineSoftmax.
Require Import Ring.

Section Linearity.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (c : operator K) (x : inputs K).

Definition with_VU (V : nat -> nat -> K) : inputs K :=
  Inputs (QU x) (KU x) V (QC x) (KC x) (VC x).
Definition with_QC (Q : nat -> nat -> K) : inputs K :=
  Inputs (QU x) (KU x) (VU x) Q (KC x) (VC x).
Definition with_KC (A : nat -> nat -> K) : inputs K :=
  Inputs (QU x) (KU x) (VU x) (QC x) A (VC x).
Definition with_VC (V : nat -> nat -> K) : inputs K :=
  Inputs (QU x) (KU x) (VU x) (QC x) (KC x) V.
Definition combined (a : K) (A B : nat -> nat -> K) : nat -> nat -> K :=
  fun i k => a * A i k + B i k.

Theorem output_is_linear_in_VC a A B t k :
  output c (with_VC (combined a A B)) t k =
  a * output c (with_VC A) t k + output c (with_VC B) t k.
Proof.
  unfold output. rewrite <- sum_mul_l, <- sum_add. apply sum_ext. intros s _.
  change (attention c (with_VC (combined a A B)) t s) with (attention c x t s).
  change (attention c (with_VC A) t s) with (attention c x t s).
  change (attention c (with_VC B) t s) with (attention c x t s).
  simpl. unfold combined. ring.
Qed.

Lemma dot_linear_l d a (v w u : nat -> K) :
  dot d (fun k => a * v k + w k) u = a * dot d v u + dot d w u.
Proof.
  unfold dot. rewrite <- sum_mul_l, <- sum_add. apply sum_ext. intros k _. ring.
Qed.

Lemma dot_linear_r d a (v w u : nat -> K) :
  dot d u (fun k => a * v k + w k) = a * dot d u v + dot d u w.
Proof.
  unfold dot. rewrite <- sum_mul_l, <- sum_add. apply sum_ext. intros k _. ring.
Qed.

Lemma key_is_linear_in_VU a A B t s k :
  lookahead_key c (with_VU (combined a A B)) t s k =
  a * lookahead_key c (with_VU A) t s k + lookahead_key c (with_VU B) t s k.
Proof.
  unfold lookahead_key. rewrite <- sum_mul_l, <- sum_add. apply sum_ext. intros j _.
  change (gate_of c (with_VU (combined a A B)) s j) with (gate_of c x s j).
  change (gate_of c (with_VU A) s j) with (gate_of c x s j).
  change (gate_of c (with_VU B) s j) with (gate_of c x s j).
  destruct (allowed c s j); simpl; unfold combined; ring.
Qed.

Theorem lookahead_score_is_linear_in_VU a A B t s :
  lookahead_score c (with_VU (combined a A B)) t s =
  a * lookahead_score c (with_VU A) t s + lookahead_score c (with_VU B) t s.
Proof.
  unfold lookahead_score.
  rewrite (dot_ext _ _ (QC x t) _
    (fun k => a * lookahead_key c (with_VU A) t s k + lookahead_key c (with_VU B) t s k)).
  - rewrite dot_linear_r. simpl. ring.
  - intros k _. split; [reflexivity|apply key_is_linear_in_VU].
Qed.

Theorem lookahead_score_is_linear_in_QC a A B t s :
  lookahead_score c (with_QC (combined a A B)) t s =
  a * lookahead_score c (with_QC A) t s + lookahead_score c (with_QC B) t s.
Proof.
  unfold lookahead_score.
  change (lookahead_key c (with_QC (combined a A B)) t s) with (lookahead_key c x t s).
  change (lookahead_key c (with_QC A) t s) with (lookahead_key c x t s).
  change (lookahead_key c (with_QC B) t s) with (lookahead_key c x t s).
  unfold combined. simpl. rewrite dot_linear_l. ring.
Qed.

(* u_t^t = 0, and so *)
Theorem own_score_is_causal t :
  ahead (allowed c) -> penalty c 0 = 0 -> score c x t t = causal_score c x t t.
Proof.
  intros Ha Hp. unfold score. replace (lookahead_score c x t t) with (0 : K).
  - rewrite Hp. ring.
  - unfold lookahead_score, dot. rewrite sum_zero; [ring|].
    intros k _. rewrite own_key_is_zero by (assumption || lia). ring.
Qed.

(* ---- one vector added to every key ----------------------------------------------------------- *)

Section Shift.

Variable z : nat -> K.
Let shifted : inputs K := with_KC (fun s k => KC x s k + z k).
Let by_ (t : nat) : K := scale c * dot (dim c) (QC x t) z.

Lemma score_shifted t s : score c shifted t s = score c x t s + by_ t.
Proof.
  unfold score, causal_score, by_.
  change (lookahead_score c shifted t s) with (lookahead_score c x t s).
  change (QC shifted t) with (QC x t).
  rewrite (dot_ext _ _ (QC x t) _ (fun k => 1 * KC x s k + z k)).
  - rewrite dot_linear_r. ring.
  - intros k _. split; [reflexivity|]. simpl. ring.
Qed.

Hypothesis exp_like : rescalable (weight c) (inverse c).

(* Where e is exp, lse is shifted by scale QC_t . z. *)
Theorem key_shift_moves_lse t :
  denominator c shifted t = weight c (by_ t) * denominator c x t.
Proof.
  unfold denominator. rewrite <- sum_mul_l. apply sum_ext. intros s _.
  rewrite score_shifted, (weight_law _ _ exp_like). ring.
Qed.

Theorem key_shift_leaves_output t k : output c shifted t k = output c x t k.
Proof.
  assert (H : weight c (by_ t) * weight c (- by_ t) = 1).
  { rewrite <- (weight_law _ _ exp_like). replace (by_ t + - by_ t) with (0 : K) by ring.
    apply (weight_0 _ _ exp_like). }
  apply sum_ext. intros s _. change (VC shifted s k) with (VC x s k). f_equal.
  unfold attention. rewrite key_shift_moves_lse, (inverse_law _ _ exp_like _ _ _ H), score_shifted,
    (weight_law _ _ exp_like).
  transitivity (weight c (by_ t) * weight c (- by_ t) * (weight c (score c x t s)
                * inverse c (denominator c x t))); [ring|]. rewrite H. ring.
Qed.

(* L = 1 *)
Theorem one_token_answers_its_value k : output c x 0 k = VC x 0 k.
Proof.
  unfold output, attention, denominator. rewrite !sum_S. cbn [sum].
  set (w := weight c (score c x 0 0)).
  assert (H : w * weight c (- score c x 0 0) = 1).
  { unfold w. rewrite <- (weight_law _ _ exp_like).
    replace (score c x 0 0 + - score c x 0 0) with (0 : K) by ring.
    apply (weight_0 _ _ exp_like). }
  replace (0 + w) with (w * 1) by ring.
  rewrite (inverse_law _ _ exp_like _ _ _ H), (inverse_1 _ _ exp_like).
  transitivity (w * weight c (- score c x 0 0) * VC x 0 k); [ring|]. rewrite H. ring.
Qed.

End Shift.

End Linearity.
