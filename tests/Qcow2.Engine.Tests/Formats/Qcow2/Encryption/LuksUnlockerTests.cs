using System.Diagnostics;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Codecs;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class LuksUnlockerTests
{
    [Theory]
    [InlineData("xts-plain64", 32, "sha1")]
    [InlineData("xts-plain64", 48, "sha256")]
    [InlineData("xts-plain64", 64, "sha512")]
    [InlineData("xts-plain", 64, "sha384")]
    [InlineData("xts-essiv:sha256", 64, "sha256")]
    [InlineData("cbc-plain", 16, "sha256")]
    [InlineData("cbc-plain64", 24, "sha256")] // half a sector of key material is left over; QEMU 7.2 aborts on these
    [InlineData("cbc-plain64", 32, "sha1")]
    [InlineData("cbc-essiv:sha256", 32, "sha512")]
    public void The_right_passphrase_gives_the_cipher_of_the_master_key(string mode, int keyBytes, string hash)
    {
        LuksVolume volume = new LuksVolume(mode, keyBytes, hash).AddSlot(0, "letmein");

        using SectorCipher cipher = volume.Unlock("letmein");

        using SectorCipher expected = LuksCipherSpec.Resolve(volume.Header).Create(volume.MasterKey);
        byte[] data = TestData.Random(4 * 512);
        byte[] encrypted = [.. data];
        expected.Encrypt(9, encrypted);
        cipher.Decrypt(9, encrypted);
        Assert.Equal(data, encrypted);
    }

    [Fact]
    public void Every_slot_opens_with_its_own_passphrase()
    {
        var volume = new LuksVolume("xts-plain64", 64, "sha256");
        for (int slot = 0; slot < 8; slot++)
        {
            volume.AddSlot(slot, $"passphrase {slot}");
        }

        for (int slot = 0; slot < 8; slot++)
        {
            volume.Unlock($"passphrase {slot}").Dispose();
        }

        Assert.Equal(8 * 9 / 2, volume.Reads);
    }

    [Fact]
    public void A_wrong_passphrase_is_told()
    {
        LuksVolume volume = new LuksVolume("xts-plain64", 64, "sha256").AddSlot(2, "letmein");

        foreach (string wrong in new[] { "", "letmein\n", "Letmein" })
        {
            var error = Assert.Throws<Qcow2Exception>(() => volume.Unlock(wrong));
            Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, error.Code);
            Assert.DoesNotContain("letmein", error.Message, StringComparison.OrdinalIgnoreCase);
        }

        volume.AddSlot(3, "other");
        Assert.Contains("2 active key slots", Assert.Throws<Qcow2Exception>(() => volume.Unlock("wrong")).Message);
    }

    [Fact]
    public void Without_an_active_slot_the_message_says_that_no_passphrase_will_do()
    {
        var error = Assert.Throws<Qcow2Exception>(() => new LuksVolume("xts-plain64", 64, "sha256").Unlock("letmein"));

        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, error.Code);
        Assert.Contains("no active key slot", error.Message);
    }

    [Fact]
    public void A_damaged_slot_does_not_open_but_another_does()
    {
        LuksVolume volume = new LuksVolume("cbc-plain64", 32, "sha256").AddSlot(1, "letmein");
        volume.Damage(1);
        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, Assert.Throws<Qcow2Exception>(() => volume.Unlock("letmein")).Code);

        volume.AddSlot(5, "letmein");
        volume.Unlock("letmein").Dispose();
    }

    [Theory]
    [InlineData(8, "serpent")]
    [InlineData(40, "ecb")]
    [InlineData(72, "ripemd160")]
    [InlineData(72, "whirlpool")]
    public void Unknown_algorithms_are_refused_before_any_work(int field, string name)
    {
        LuksVolume volume = new LuksVolume("xts-plain64", 64, "sha256").AddSlot(0, "letmein", 10);
        volume.HeaderBytes.Text(field, name).Slot(0, 4, LuksHeader.MaxIterations);

        var error = Assert.Throws<Qcow2Exception>(() => volume.Unlock("letmein"));

        Assert.Equal(Qcow2ErrorCode.UnsupportedFeature, error.Code);
        Assert.Contains(name, error.Message);
        Assert.Equal(0, volume.Reads);
    }

    [Fact]
    public void The_most_work_a_header_can_ask_for_can_be_cancelled()
    {
        var volume = new LuksVolume("xts-plain64", 64, "sha1");
        for (int slot = 0; slot < 8; slot++)
        {
            volume.AddSlot(slot, "letmein", 1).HeaderBytes.Slot(slot, 4, LuksHeader.MaxIterations);
        }

        var watch = Stopwatch.StartNew();
        using var soon = new CancelledSoon();

        Assert.ThrowsAny<OperationCanceledException>(() => volume.Unlock("letmein", soon.Token));

        Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20)); // The work would take hours.
    }

    [Fact]
    public void Failures_to_read_are_passed_on()
    {
        LuksVolume volume = new LuksVolume("xts-plain64", 64, "sha256").AddSlot(0, "letmein");
        using var passphrase = Passphrase.FromString("letmein");

        Assert.Throws<EndOfStreamException>(
            () => LuksUnlocker.Unlock(volume.Header, (_, _) => throw new EndOfStreamException(), passphrase, default));
    }

    [Fact]
    public void A_disposed_passphrase_is_refused()
    {
        LuksVolume volume = new LuksVolume("xts-plain64", 64, "sha256").AddSlot(0, "letmein");
        var passphrase = Passphrase.FromString("letmein");
        passphrase.Dispose();

        Assert.Throws<ObjectDisposedException>(() => LuksUnlocker.Unlock(volume.Header, volume.Read, passphrase, default));
    }
}
