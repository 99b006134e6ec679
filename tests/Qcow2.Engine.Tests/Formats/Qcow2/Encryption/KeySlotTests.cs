using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;
using Xunit.Abstractions;
using static Qcow2.Engine.Tests.Formats.Qcow2.Encryption.KeySlotImage;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>Passphrases that come, change and go, beside a model of the eight slots.</summary>
public sealed class KeySlotTests(ITestOutputHelper output)
{
    private static readonly string[] Words = ["zero", "red", "green", "blue"];

    [Fact]
    public void Random_changes_are_those_of_the_model()
    {
        int seed = TestRounds.Seed(nameof(Random_changes_are_those_of_the_model));
        var random = new Random(seed);
        using var image = new KeySlotImage();
        string?[] model = ["zero", null, null, null, null, null, null, null];
        var seen = new Dictionary<string, int>();
        for (int step = 0; step < TestRounds.Times(40); step++)
        {
            string old = Words[random.Next(Words.Length)];
            string word = Words[random.Next(Words.Length)];
            int? slot = random.Next(2) == 0 ? random.Next(8) : null;
            bool force = random.Next(4) == 0;
            int kind = random.Next(5);
            string label = $"QCOW2_TEST_SEED={seed}, step {step}: {kind} {old} {word} {slot} {force} on {string.Join(',', model)}";
            string?[] next = [.. model];
            Qcow2ErrorCode? expected = kind < 3 ? ModelAdd(next, old, word, slot, force)
                : kind < 4 ? ModelChange(next, old, word, slot, force)
                : ModelRemove(next, slot ?? 0);
            KeySlotOptions options = Quick with { KeySlot = slot, Force = force };
            byte[] before = image.Content;
            MemoryStorage storage = image.Storage();
            Exception? error = Record.Exception(() =>
            {
                _ = kind < 3 ? ImageKeySlots.Add(storage, image[old], image[word], options)
                    : kind < 4 ? ImageKeySlots.Change(storage, image[old], image[word], options)
                    : Remove(storage, slot ?? 0);
            });

            Assert.True((error as Qcow2Exception)?.Code == expected && (error is null) == (expected is null), $"{label}: {error}, expected {expected}");
            seen[$"{(kind < 3 ? "add" : kind < 4 ? "change" : "remove")} {expected}"] = seen.GetValueOrDefault($"{(kind < 3 ? "add" : kind < 4 ? "change" : "remove")} {expected}") + 1;
            if (error is not null)
            {
                AssertSame(before, storage.Content);
                continue;
            }

            image.With(file => file.Write(0, storage.Content));
            model = next;
            Assert.True(Active(image.Content).SequenceEqual(Enumerable.Range(0, 8).Where(i => model[i] is not null)), label);
            LuksHeader header = Header(image.Content);
            foreach (int i in Enumerable.Range(0, 8).Where(i => model[i] is null))
            {
                Assert.True(header.KeySlots[i].Iterations == 0 && header.KeySlots[i].Salt.All(b => b == 0), label);
            }

            if (step % 5 == 0)
            {
                foreach (string one in Words)
                {
                    Assert.True(image.Opens(image.Content, one) == model.Contains(one), $"{label}: {one}");
                }
            }
        }

        output.WriteLine(string.Join(", ", seen.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key}: {pair.Value}")));
        Assert.Empty(ImageAuditor.Audit(image.Content).Corruptions);
    }

    [Fact]
    public void Changed_passphrase_stays_in_its_slot_and_the_old_one_opens_nothing()
    {
        using KeySlotImage image = new KeySlotImage().Fill(3, 6);
        image.With(storage => Assert.Equal(6, ImageKeySlots.Change(storage, image["six"], image["new"], Quick)));

        Assert.Equal([0, 3, 6], Active(image.Content));
        Assert.True(image.Opens(image.Content, "new") && image.Opens(image.Content, "zero") && image.Opens(image.Content, "three"));
        Assert.False(image.Opens(image.Content, "six"));
    }

    [Fact]
    public void Change_reaches_every_slot_that_has_the_old_passphrase()
    {
        using KeySlotImage image = new KeySlotImage().With(_ => { });
        image.With(storage => ImageKeySlots.Add(storage, image["zero"], image["zero"], Quick with { KeySlot = 5 }));
        image.With(storage => ImageKeySlots.Change(storage, image["zero"], image["new"], Quick));

        Assert.Equal([0], Active(image.Content));
        Assert.False(image.Opens(image.Content, "zero"));
    }

    [Fact]
    public void All_eight_in_use_can_be_changed_where_one_of_them_is_to_go_anyway()
    {
        using KeySlotImage image = new KeySlotImage().Fill(1, 2, 3, 4, 5, 6);
        image.With(storage => ImageKeySlots.Add(storage, image["zero"], image["six"], Quick));
        image.With(storage => Assert.Equal(6, ImageKeySlots.Change(storage, image["six"], image["new"], Quick)));

        Assert.Equal([0, 1, 2, 3, 4, 5, 6], Active(image.Content));
        Assert.True(image.Opens(image.Content, "new") && !image.Opens(image.Content, "six"));
    }

    [Fact]
    public void What_is_erased_is_overwritten()
    {
        using KeySlotImage image = new KeySlotImage().Fill(6);
        byte[] before = Material(image.Content, 6).ToArray();
        byte[] salt = Header(image.Content).KeySlots[6].Salt;
        image.With(storage => ImageKeySlots.Remove(storage, [6]));

        byte[] after = Material(image.Content, 6).ToArray();
        Assert.InRange(Enumerable.Range(0, before.Length).Count(i => before[i] == after[i]), 0, before.Length / 100);
        Assert.InRange(after.Distinct().Count(), 250, 256); // Random, and no run of zeros that could be a hole.
        Assert.Equal(-1, image.Content.AsSpan().IndexOf(salt));
    }

    [Fact]
    public void Last_slot_is_not_removed_without_force()
    {
        using var image = new KeySlotImage();
        byte[] before = image.Content;
        MemoryStorage storage = image.Storage();
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => ImageKeySlots.Remove(storage, [0]));
        Assert.Equal(Qcow2ErrorCode.LastKeySlot, error.Code);
        Assert.Contains("gone for good", error.Message);
        AssertSame(before, storage.Content);

        ImageKeySlots.Remove(storage, [0], force: true);
        Assert.Empty(Active(storage.Content));
        Assert.False(image.Opens(storage.Content, "zero"));
    }

    [Fact]
    public void Passphrase_that_is_to_remain_is_tried_on_the_slots_that_do()
    {
        using KeySlotImage image = new KeySlotImage().Fill(1, 2);
        MemoryStorage storage = image.Storage();
        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, Assert.Throws<Qcow2Exception>(() => ImageKeySlots.Remove(storage, [1], image["one"])).Code);
        AssertSame(image.Content, storage.Content);

        ImageKeySlots.Remove(storage, [1], image["two"]);
        Assert.Equal([0, 2], Active(storage.Content));
    }

    [Fact]
    public void Force_erases_key_material_that_a_program_left_in_a_slot_that_is_not_in_use()
    {
        using KeySlotImage image = new KeySlotImage().Fill(4);
        BinaryPrimitives.WriteUInt32BigEndian(image.Content.AsSpan((int)Place(image.Content).Offset + 208 + (4 * 48)), 0xDEAD);
        byte[] left = Material(image.Content, 4).ToArray();
        Assert.Equal(Qcow2ErrorCode.KeySlotNotInUse, Assert.Throws<Qcow2Exception>(() => ImageKeySlots.Remove(image.Storage(), [4])).Code);

        image.With(storage => ImageKeySlots.Remove(storage, [4], force: true));
        Assert.NotEqual(left, Material(image.Content, 4).ToArray());
    }

    [Fact]
    public void Somebody_elses_passphrase_is_replaced_with_force_only()
    {
        using KeySlotImage image = new KeySlotImage().Fill(1);
        KeySlotOptions one = Quick with { KeySlot = 1 };
        Assert.Equal(Qcow2ErrorCode.KeySlotInUse, Assert.Throws<Qcow2Exception>(() => ImageKeySlots.Change(image.Storage(), image["zero"], image["new"], one)).Code);
        Assert.Equal(Qcow2ErrorCode.KeySlotInUse, Assert.Throws<Qcow2Exception>(() => ImageKeySlots.Add(image.Storage(), image["zero"], image["new"], one)).Code);

        image.With(storage => Assert.Equal(1, ImageKeySlots.Change(storage, image["zero"], image["new"], one with { Force = true })));
        Assert.True(image.Opens(image.Content, "zero") && image.Opens(image.Content, "new") && !image.Opens(image.Content, "one"));
        image.With(storage => Assert.Equal(1, ImageKeySlots.Add(storage, image["zero"], image["newer"], one with { Force = true })));
        Assert.True(image.Opens(image.Content, "newer") && !image.Opens(image.Content, "new"));
    }

    [Fact]
    public void Opening_again_with_the_same_passphrase_derives_nothing()
    {
        using KeySlotImage image = new KeySlotImage();
        byte[] slow = [.. image.Content];
        using var passphrase = Passphrase.FromString("zero");
        Qcow2Image.Open(new MemoryStorage(slow), new Qcow2OpenOptions { Passphrase = passphrase }).Dispose();

        byte[] salt = Header(slow).KeySlots[0].Salt;
        LuksKeyScheme scheme = LuksKeyScheme.Resolve(Header(slow));
        byte[] first = new byte[scheme.KeyBytes];
        byte[] again = new byte[scheme.KeyBytes];
        scheme.DeriveSlotKey(passphrase, salt, Header(slow).KeySlots[0].Iterations, first, default);
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        scheme.DeriveSlotKey(passphrase, salt, Header(slow).KeySlots[0].Iterations, again, stopped.Token); // Derivation would throw.
        Assert.Equal(first, again);
        Assert.Throws<OperationCanceledException>(() => scheme.DeriveSlotKey(passphrase, salt, 7, again, stopped.Token));
        Qcow2Image.Open(new MemoryStorage(slow), new Qcow2OpenOptions { Passphrase = passphrase }, stopped.Token).Dispose();
    }

    [Fact]
    public void Image_that_was_made_opens_without_another_derivation()
    {
        using var folder = new TempFolder();
        using var passphrase = Passphrase.FromString("zero");
        string path = folder.File("new.qcow2");
        Qcow2Image.CreateFile(path, 1 << 20, new Qcow2CreateOptions { Encryption = EncryptionMethod.Luks, Passphrase = passphrase, KeyDerivationTime = TimeSpan.Zero });
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = passphrase }, stopped.Token).Dispose();
        using var same = Passphrase.FromString("zero");
        Assert.Throws<OperationCanceledException>(() => Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = same }, stopped.Token));
    }

    [Fact]
    public void Passphrase_that_is_disposed_of_knows_nothing_any_more()
    {
        using KeySlotImage image = new KeySlotImage();
        var passphrase = Passphrase.FromString("zero");
        Qcow2Image.Open(image.Storage(), new Qcow2OpenOptions { Passphrase = passphrase }).Dispose();
        byte[] key = new byte[16];
        LuksKeySlot slot = Header(image.Content).KeySlots[0];
        LuksKeyScheme.Resolve(Header(image.Content)).DeriveSlotKey(passphrase, slot.Salt, slot.Iterations, key, default);
        passphrase.Dispose();
        Assert.Throws<ObjectDisposedException>(() => LuksKeyScheme.Resolve(Header(image.Content)).DeriveSlotKey(passphrase, slot.Salt, slot.Iterations, key, default));
    }

    [Fact]
    public void Ending_the_derivation_changes_nothing()
    {
        using KeySlotImage image = new KeySlotImage();
        MemoryStorage storage = image.Storage();
        using var stop = new CancelledSoon();
        Assert.ThrowsAny<OperationCanceledException>(() => ImageKeySlots.Change(
            storage, image["zero"], image["new"], new KeySlotOptions { KeyDerivationTime = TimeSpan.FromMinutes(10) }, stop.Token));
        AssertSame(image.Content, storage.Content);
    }

    private static int Remove(MemoryStorage storage, int slot)
    {
        ImageKeySlots.Remove(storage, [slot]);
        return slot;
    }

    private static Qcow2ErrorCode? ModelAdd(string?[] model, string old, string word, int? slot, bool force)
    {
        int at = slot ?? Array.IndexOf(model, null);
        if (at < 0)
        {
            return Qcow2ErrorCode.KeySlotsFull;
        }

        if (model[at] is not null && !force)
        {
            return Qcow2ErrorCode.KeySlotInUse;
        }

        if (!model.Contains(old))
        {
            return Qcow2ErrorCode.PassphraseIncorrect;
        }

        model[at] = word;
        return null;
    }

    private static Qcow2ErrorCode? ModelChange(string?[] model, string old, string word, int? slot, bool force)
    {
        if (slot is int at)
        {
            if (model[at] is null)
            {
                return Qcow2ErrorCode.KeySlotNotInUse;
            }

            if (model[at] != old && (!model.Contains(old) || !force))
            {
                return model.Contains(old) ? Qcow2ErrorCode.KeySlotInUse : Qcow2ErrorCode.PassphraseIncorrect;
            }
        }
        else if (!model.Contains(old))
        {
            return Qcow2ErrorCode.PassphraseIncorrect;
        }

        int[] found = slot is int one ? [one] : [.. Enumerable.Range(0, 8).Where(i => model[i] == old)];
        if (!model.Contains(null) && found.Length == 1 && !force)
        {
            return Qcow2ErrorCode.KeySlotsFull;
        }

        foreach (int i in found)
        {
            model[i] = null;
        }

        model[found[0]] = word;
        return null;
    }

    private static Qcow2ErrorCode? ModelRemove(string?[] model, int slot)
    {
        if (model[slot] is null)
        {
            return Qcow2ErrorCode.KeySlotNotInUse;
        }

        model[slot] = null;
        return model.All(word => word is null) ? Qcow2ErrorCode.LastKeySlot : null;
    }
}
