(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Blocks.v - L tokens cut into blocks of B, the last one maybe shorter.
 *
 * States    the blocks T_0 .. T_{N-1}, N = ceil(L/B), cover 0 .. L-1 once each; which blocks a window
 *           may skip.
 * C file    ref/blocks.c.
 *)
Require Import Castle.Definitions.

Section Blocks.

Variables L B : nat.

Definition start (i : nat) : nat := Nat.min (i * B) L.
Definition count : nat := (L + B - 1) / B.
Definition in_block (i t : nat) : bool := (start i <=? t) && (t <? start (S i)).

(* meets j e may be false, so that a kernel skips the update or the gates of blocks (j, e), only where
 * the mask allows no pair of T_j and T_e. *)
Definition meets_is_sound (mask meets : nat -> nat -> bool) : Prop :=
  forall j e s t, in_block j s = true -> in_block e t = true -> mask s t = true -> meets j e = true.

(* What ref/blocks.c does (band_meets of the shifted band) *)
Definition castle_meets (j e : nat) : bool := (start j + 2 <=? start (S e)).
Definition swl_meets (W j e : nat) : bool :=
  (1 <=? W) && (start j + 2 <=? start (S e)) && (start e + 1 <=? W + start (S j)).

Lemma in_block_iff i t : in_block i t = true <-> (start i <= t < start (S i))%nat.
Proof.
  unfold in_block. destruct (Nat.leb_spec (start i) t), (Nat.ltb_spec t (start (S i))); simpl;
    split; intros; try lia; try reflexivity; discriminate.
Qed.

Theorem castle_meets_is_sound : meets_is_sound castle_mask castle_meets.
Proof.
  intros j e s t Hj He H. apply in_block_iff in Hj, He. apply Nat.ltb_lt in H.
  apply Nat.leb_le. lia.
Qed.

Theorem swl_meets_is_sound W : meets_is_sound (swl_mask W) (swl_meets W).
Proof.
  intros j e s t Hj He H. apply in_block_iff in Hj, He. apply andb_prop in H as [H1 H2].
  apply Nat.ltb_lt in H1. apply Nat.leb_le in H2. unfold swl_meets.
  rewrite !(proj2 (Nat.leb_le _ _)); try reflexivity; lia.
Qed.

Theorem meets_always_is_sound mask : meets_is_sound mask (fun _ _ => true).
Proof. intros j e s t _ _ _. reflexivity. Qed.

Lemma start_0 : start 0 = 0%nat.
Proof. reflexivity. Qed.

Lemma start_mono i j : (i <= j)%nat -> (start i <= start j)%nat.
Proof. intros H. unfold start. assert (i * B <= j * B)%nat by (apply Nat.mul_le_mono_r; lia). lia. Qed.

Lemma start_le i : (start i <= L)%nat.
Proof. unfold start. lia. Qed.

Hypothesis B_positive : (1 <= B)%nat.

Lemma count_spec : (L <= count * B)%nat /\ ((count - 1) * B <= L)%nat.
Proof.
  unfold count. pose proof (Nat.div_mod (L + B - 1) B ltac:(lia)) as H.
  pose proof (Nat.mod_upper_bound (L + B - 1) B ltac:(lia)) as Hm.
  set (n := ((L + B - 1) / B)%nat) in *. split; [|destruct n as [|n]; simpl]; nia.
Qed.

Lemma start_count : start count = L.
Proof. unfold start. pose proof count_spec. lia. Qed.

Lemma count_positive : (1 <= L)%nat -> (1 <= count)%nat.
Proof.
  intros H. destruct count as [|n] eqn:E; [|lia]. pose proof start_count as Hs.
  rewrite E in Hs. unfold start in Hs. simpl in Hs. lia.
Qed.

(* A token's block: there is one, and no other. *)
Lemma block_of t : (t < L)%nat -> exists i, (i < count)%nat /\ (start i <= t < start (S i))%nat.
Proof.
  intros Ht. exists (t / B)%nat.
  pose proof (Nat.div_mod t B ltac:(lia)) as H.
  pose proof (Nat.mod_upper_bound t B ltac:(lia)) as Hm.
  assert (Hlt : (t / B < count)%nat).
  { apply Nat.div_lt_upper_bound; [lia|]. pose proof count_spec. nia. }
  split; [assumption|]. unfold start. simpl. nia.
Qed.

Lemma block_unique i j t :
  (start i <= t < start (S i))%nat -> (start j <= t < start (S j))%nat -> i = j.
Proof.
  intros Hi Hj. destruct (Nat.lt_trichotomy i j) as [H|[H|H]]; [|assumption|].
  - pose proof (start_mono (S i) j ltac:(lia)). lia.
  - pose proof (start_mono (S j) i ltac:(lia)). lia.
Qed.

(* A sum over all tokens is one over blocks. *)
Lemma sum_blocks {K : ring} (f : nat -> K) :
  \sum_(i < count) \sum_(start i <= t < start (S i)) f t = \sum_(t < L) f t.
Proof.
  rewrite range_blocks, start_count; [reflexivity|apply start_0|].
  intros i. apply start_mono. lia.
Qed.

End Blocks.
