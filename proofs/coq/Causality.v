(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Causality.v - nothing at or before t depends on a token after t, although keys look ahead.
 *
 * States    inputs that agree on tokens 0..t give the same lookahead keys, scores and answers at t,
 *           whatever the mask.
 * Equations (3) to (8). C file: ref/sequential.c.
 *)
Require Import Castle.Definitions.

Section Causality.

Context {K : ring}.
Variable c : operator K.

(* x and y have the same tokens 0..t. *)
Definition agree (t : nat) (x y : inputs K) : Prop :=
  forall s k, (s <= t)%nat -> (k < dim c)%nat ->
    QU x s k = QU y s k /\ KU x s k = KU y s k /\ VU x s k = VU y s k /\
    QC x s k = QC y s k /\ KC x s k = KC y s k /\ VC x s k = VC y s k.

Lemma dot_ext d (a a' b b' : nat -> K) :
  (forall k, (k < d)%nat -> a k = a' k /\ b k = b' k) -> dot d a b = dot d a' b'.
Proof. intros H. apply sum_ext. intros k Hk. destruct (H k Hk) as [-> ->]. reflexivity. Qed.

Variables (t : nat) (x y : inputs K).
Hypothesis same : agree t x y.

Theorem causality_lookahead_key s k :
  (s <= t)%nat -> (k < dim c)%nat -> lookahead_key c x t s k = lookahead_key c y t s k.
Proof.
  intros Hs Hk. apply sum_ext. intros j Hj. destruct (allowed c s j); [|reflexivity].
  destruct (same j k ltac:(lia) Hk) as (_ & _ & HV & _). rewrite HV.
  unfold gate_of. rewrite (dot_ext _ (QU x s) (QU y s) (KU x j) (KU y j)); [reflexivity|].
  intros i Hi. split; [apply (same s i)|apply (same j i)]; lia.
Qed.

Theorem causality_score s : (s <= t)%nat -> score c x t s = score c y t s.
Proof.
  intros Hs. unfold score, causal_score, lookahead_score.
  rewrite (dot_ext _ (QC x t) (QC y t) (KC x s) (KC y s)).
  2: { intros k Hk. split; [apply (same t k)|apply (same s k)]; lia. }
  rewrite (dot_ext _ (QC x t) (QC y t) (lookahead_key c x t s) (lookahead_key c y t s)).
  - reflexivity.
  - intros k Hk. split; [apply (same t k); lia|now apply causality_lookahead_key].
Qed.

Theorem causality_denominator : denominator c x t = denominator c y t.
Proof. apply sum_ext. intros s Hs. rewrite causality_score by lia. reflexivity. Qed.

Theorem causality k : (k < dim c)%nat -> output c x t k = output c y t k.
Proof.
  intros Hk. apply sum_ext. intros s Hs. unfold attention.
  rewrite causality_denominator, causality_score by lia.
  destruct (same s k ltac:(lia) Hk) as (_ & _ & _ & _ & _ & ->). reflexivity.
Qed.

End Causality.
