(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Facts.v - what follows for special masks and tokens.
 *
 * States    a window that reaches every token is none; W = 0, or VU = 0, is causal attention; the
 *           last token's QU and the first token's KU and VU get gradient exactly 0, and with W = 0
 *           all three do.
 * C files   ref/parallel.c, ref/backward.c.
 *)
Require Import Castle.Definitions Castle.Causality Castle.Theorem1 Castle.Layer Castle.Backward.
Require Import Ring.

Section Facts.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (c : operator K) (x : inputs K).

(* W >= L - 1: CASTLE-SWL is CASTLE. *)
Theorem wide_window_is_castle W t k :
  (t <= W)%nat -> output (castle_swl W c) x t k = output (castle c) x t k.
Proof.
  intros HW.
  assert (Hkey : forall s i, lookahead_key (castle_swl W c) x t s i =
                             lookahead_key (castle c) x t s i).
  { intros s i. apply sum_ext. intros j Hj. simpl. rewrite swl_wide by lia. reflexivity. }
  assert (Hscore : forall s, score (castle_swl W c) x t s = score (castle c) x t s).
  { intros s. unfold score, causal_score, lookahead_score. simpl. f_equal. f_equal. f_equal.
    apply dot_ext. intros i _. split; [reflexivity|apply Hkey]. }
  apply sum_ext. intros s _. unfold attention. rewrite Hscore. f_equal. f_equal. simpl. f_equal.
  apply sum_ext. intros r _. now rewrite Hscore.
Qed.

(* Lookahead scores that are 0 leave causal attention. *)
Lemma without_lookahead t k :
  penalty c 0 = 0 -> (forall s, lookahead_score c x t s = 0) ->
  output c x t k = standard_output c x t k.
Proof.
  intros Hp H0. assert (Hscore : forall s, score c x t s = causal_score c x t s).
  { intros s. unfold score. rewrite H0, Hp. ring. }
  apply sum_ext. intros s _. unfold attention. rewrite Hscore. f_equal. f_equal. f_equal.
  apply sum_ext. intros r _. now rewrite Hscore.
Qed.

Theorem no_window_is_causal t k :
  allowed c = swl_mask 0 -> penalty c 0 = 0 -> output c x t k = standard_output c x t k.
Proof.
  intros Hc Hp. apply without_lookahead; trivial. intros s.
  rewrite lookahead_score_flat. apply sum_zero. intros j _. rewrite Hc. unfold swl_mask.
  destruct (Nat.ltb_spec s j), (Nat.leb_spec j (s + 0)); simpl; try reflexivity. lia.
Qed.

Theorem no_values_is_causal t k :
  (forall j i, VU x j i = 0) -> penalty c 0 = 0 -> output c x t k = standard_output c x t k.
Proof.
  intros HV Hp. apply without_lookahead; trivial. intros s.
  rewrite lookahead_score_flat. apply sum_zero. intros j _.
  destruct (allowed c s j); [|reflexivity]. unfold dot. rewrite sum_zero; [ring|].
  intros i _. rewrite HV. ring.
Qed.

(* ---- gradients that are exactly 0 ------------------------------------------------------------ *)

Variables (L : nat) (gate_slope penalty_slope : K -> K) (dO : nat -> nat -> K).
Let g := backward c x L gate_slope penalty_slope dO.

(* dZ and dT1 where the mask allows nothing *)
Lemma dZ_masked s j : allowed c s j = false -> dZ c x L gate_slope penalty_slope dO s j = 0.
Proof. intros H. unfold dZ, dG, masked. rewrite H. ring. Qed.

Lemma dT1_masked t j :
  (forall s, (s < L)%nat -> allowed c s j = false) -> dT1 c x L penalty_slope dO t j = 0.
Proof.
  intros H. unfold dT1, masked, product. destruct (tril t j); [|reflexivity].
  apply sum_zero. intros s Hs. unfold G, masked. rewrite H by assumption. ring.
Qed.

Theorem last_QU_gets_nothing k : ahead (allowed c) -> QU g (L - 1) k = 0.
Proof.
  intros Ha. simpl. unfold dQU. rewrite sum_zero; [ring|]. intros j Hj.
  rewrite dZ_masked; [ring|]. destruct (allowed c (L - 1) j) eqn:E; [|reflexivity].
  apply Ha in E. lia.
Qed.

Theorem first_KU_gets_nothing k : ahead (allowed c) -> KU g 0 k = 0.
Proof.
  intros Ha. simpl. unfold dKU. rewrite sum_zero; [ring|]. intros s Hs.
  rewrite dZ_masked; [ring|]. destruct (allowed c s 0) eqn:E; [|reflexivity].
  apply Ha in E. lia.
Qed.

Theorem first_VU_gets_nothing k : ahead (allowed c) -> VU g 0 k = 0.
Proof.
  intros Ha. simpl. unfold dVU. rewrite sum_zero; [ring|]. intros t Ht.
  rewrite dT1_masked; [ring|]. intros s Hs. destruct (allowed c s 0) eqn:E; [|reflexivity].
  apply Ha in E. lia.
Qed.

Theorem no_window_no_gradient t k :
  allowed c = swl_mask 0 -> QU g t k = 0 /\ KU g t k = 0 /\ VU g t k = 0.
Proof.
  intros Hc. assert (H : forall s j, allowed c s j = false).
  { intros s j. rewrite Hc. unfold swl_mask.
    destruct (Nat.ltb_spec s j), (Nat.leb_spec j (s + 0)); simpl; try reflexivity. lia. }
  simpl. unfold dQU, dKU, dVU. repeat split; (rewrite sum_zero; [ring|]); intros i _;
    rewrite ?dZ_masked, ?dT1_masked; auto; ring.
Qed.

End Facts.
