(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Blocks.v - L tokens cut into blocks of B, the last one maybe shorter.
 *
 * States    the blocks T_0 .. T_{N-1}, N = ceil(L/B), cover 0 .. L-1 once each; which blocks a
 *           window may skip; sums over the blocks (i, j), j <= i, that Algorithm 3 visits.
 * C file    ref/blocks.c.
 *)
Require Import Castle.Definitions Castle.Theorem1.
Require Import Ring.

Section Blocks.

Variables L B : nat.

Definition start (i : nat) : nat := Nat.min (i * B) L.
Definition count : nat := (L + B - 1) / B.
Definition in_block (i t : nat) : bool := (start i <=? t) && (t <? start (S i)).

(* meets j e may be false, so that a kernel skips the update or the gates of blocks (j, e), only
 * where the mask allows no pair of T_j and T_e. *)
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
Proof. intros H. unfold start. assert (i * B <= j * B)%nat by (apply Nat.mul_le_mono_r; lia). lia.
  Qed.

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

(* ---- sums over blocks ------------------------------------------------------------------------ *)

Section BlockSums.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables L B : nat.
Hypothesis B_positive : (1 <= B)%nat.
Let start := start L B.
Let count := count L B.

Lemma range_blocks_from a b (f : nat -> K) :
  (a <= b)%nat ->
  \sum_(a <= i < b) \sum_(start i <= t < start (S i)) f t = \sum_(start a <= t < start b) f t.
Proof.
  intros Hab. induction Hab as [|b Hab IH].
  - rewrite !range_zero; intros; try lia. reflexivity.
  - rewrite (range_cat a b (S b)), IH by lia. rewrite (range_one b (S b) b) by lia.
    rewrite <- range_cat; [reflexivity|]. split; apply start_mono; lia.
Qed.

(* the terms of one row *)
Lemma pick_block b s (f : nat -> K) :
  (b < count)%nat -> (start b <= s < start (S b))%nat ->
  \sum_(j < count) (if in_block L B j s then f j else 0) = f b.
Proof.
  intros Hb Hs. rewrite (sum_one _ b); trivial.
  - now rewrite (proj2 (in_block_iff L B b s) Hs).
  - intros i Hi Hne. destruct (in_block L B i s) eqn:E; [|reflexivity].
    apply in_block_iff in E. destruct Hne. now apply (block_unique L B B_positive i b s).
Qed.

Lemma pick_block_range a n b s (f : nat -> K) :
  (start b <= s < start (S b))%nat ->
  \sum_(a <= i < n) (if in_block L B i s then f i else 0) =
  if (a <=? b) && (b <? n) then f b else 0.
Proof.
  intros Hs. destruct (Nat.leb_spec a b), (Nat.ltb_spec b n); simpl.
  1: { rewrite (range_one a n b); [now rewrite (proj2 (in_block_iff L B b s) Hs)|lia|].
       intros i Hi Hne. destruct (in_block L B i s) eqn:E; [|reflexivity].
       apply in_block_iff in E. destruct Hne. now apply (block_unique L B B_positive i b s). }
  all: apply range_zero; intros i Hi; destruct (in_block L B i s) eqn:E; trivial;
       apply in_block_iff in E; assert (i = b) by (now apply (block_unique L B B_positive i b s));
       lia.
Qed.

(* blocks (i, j), j <= i, that reach a row of T_b by i *)
Lemma pick_row b t (f : nat -> nat -> K) :
  (b < count)%nat -> (start b <= t < start (S b))%nat ->
  \sum_(j < count) \sum_(j <= i < count) (if in_block L B i t then f i j else 0) =
  \sum_(j < S b) f b j.
Proof.
  intros Hb Ht. rewrite <- (sum_tril count b) by assumption. apply sum_ext. intros j Hj.
  rewrite (pick_block_range j count b) by assumption. unfold tril.
  destruct (Nat.ltb_spec b count); [|lia]. now rewrite andb_true_r.
Qed.

(* ... by j, *)
Lemma pick_column b s (f : nat -> nat -> K) :
  (b < count)%nat -> (start b <= s < start (S b))%nat ->
  \sum_(j < count) \sum_(j <= i < count) (if in_block L B j s then f i j else 0) =
  \sum_(b <= i < count) f i b.
Proof.
  intros Hb Hs. rewrite <- (pick_block b s (fun j => \sum_(j <= i < count) f i j)) by assumption.
  apply sum_ext. intros j _. destruct (in_block L B j s); [reflexivity|].
  apply range_zero. reflexivity.
Qed.

(* ... and by the update that precedes query block i *)
Lemma pick_updated_row b r (f : nat -> nat -> K) :
  (b < count)%nat -> (start b <= r < start (S b))%nat -> (forall j, f count j = 0) ->
  \sum_(j < count) \sum_(j <= i < count)
    (if j <? i then if in_block L B (i - 1) r then f i j else 0 else 0) =
  \sum_(j < S b) f (S b) j.
Proof.
  intros Hb Hr Hlast. rewrite <- (sum_tril count b) by assumption. apply sum_ext. intros j Hj.
  assert (Hother : forall i, (j <= i < count)%nat -> i <> S b ->
    (if j <? i then if in_block L B (i - 1) r then f i j else 0 else 0) = 0).
  { intros i Hi Hne. destruct (Nat.ltb_spec j i); [|reflexivity].
    destruct (in_block L B (i - 1) r) eqn:E; [|reflexivity]. apply in_block_iff in E.
    assert (i - 1 = b)%nat by (now apply (block_unique L B B_positive (i - 1) b r)). lia. }
  unfold tril. destruct (Nat.leb_spec j b).
  - destruct (Nat.lt_ge_cases (S b) count) as [H1|H1].
    + rewrite (range_one j count (S b)); [|lia|exact Hother].
      destruct (Nat.ltb_spec j (S b)); [|lia]. replace (S b - 1)%nat with b by lia.
      now rewrite (proj2 (in_block_iff L B b r) Hr).
    + replace (S b) with count by lia. rewrite Hlast. apply range_zero. intros i Hi.
      apply Hother; lia.
  - apply range_zero. intros i Hi. destruct (Nat.eq_dec i (S b)) as [->|Hne].
    + destruct (Nat.ltb_spec j (S b)); [lia|reflexivity].
    + apply Hother; lia.
Qed.

Lemma pick_updated_column b (f : nat -> K) :
  (b < count)%nat -> f (count - 1)%nat = 0 ->
  \sum_(b <= i < count) (if b <? i then f (i - 1)%nat else 0) = \sum_(b <= e < count) f e.
Proof.
  intros Hb Hlast. rewrite (range_cat b (S b) count) by lia. rewrite (range_one b (S b) b) by lia.
  destruct (Nat.ltb_spec b b); [lia|]. unfold range_sum.
  replace (count - b)%nat with (S (count - S b)) by lia. rewrite sum_S.
  replace (b + (count - S b))%nat with (count - 1)%nat by lia. rewrite Hlast.
  rewrite (sum_ext (count - S b) _ (fun i => f (b + i)%nat)); [ring|].
  intros i Hi. destruct (Nat.ltb_spec b (S b + i)); [|lia]. f_equal. lia.
Qed.

(* rows from T_b on *)
Lemma from_block b (f : nat -> K) :
  (b < count)%nat -> (forall i, (i < start b)%nat -> f i = 0) ->
  \sum_(b <= i < count) \sum_(start i <= r < start (S i)) f r = \sum_(r < L) f r.
Proof.
  intros Hb H. pose proof (start_le L B b) as Hle. fold start in Hle.
  rewrite range_blocks_from by lia.
  replace (start count) with L by (symmetry; now apply start_count).
  rewrite <- (range_from_0 L), (range_cat 0 (start b) L) by lia.
  rewrite (range_zero 0 (start b)); [ring|]. intros i Hi. apply H. lia.
Qed.

(* rows up to T_b *)
Lemma up_to_block b (f : nat -> K) :
  (forall i, (start (S b) <= i < L)%nat -> f i = 0) ->
  \sum_(j < S b) \sum_(start j <= s < start (S j)) f s = \sum_(s < L) f s.
Proof.
  clear B_positive. intros H.
  rewrite range_blocks; [|reflexivity|intros; apply start_mono; lia].
  symmetry. apply sum_widen; [apply start_le|exact H].
Qed.

End BlockSums.
