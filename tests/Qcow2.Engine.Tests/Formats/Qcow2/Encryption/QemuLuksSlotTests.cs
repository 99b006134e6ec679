using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>Key slots that qemu-img sets and erases. A class of its own, so that it runs beside the others that wait for qemu-img.</summary>
public sealed class QemuLuksSlotTests : IDisposable
{
    // qemu-img times itself for seconds before it sets a slot: the first, one between and the last, and all with QCOW2_TEST_ROUNDS.
    private static readonly int[] More = TestRounds.Times(1) > 1 ? [1, 2, 3, 4, 5, 6, 7] : [1, 5, 7];

    private readonly string _folder = Directory.CreateTempSubdirectory("qcow2-luks-").FullName;

    [QemuFact]
    public void Slots_come_and_go()
    {
        string image = QemuLuks.Create(_folder, "cipher-alg=aes-256");
        foreach (int slot in More)
        {
            QemuLuks.Amend(image, "letmein", $"state=active,new-secret=n,keyslot={slot},iter-time=10", $"passphrase {slot}");
        }

        byte[] full = File.ReadAllBytes(image);
        QemuLuks.AssertSameAsQemu(image, LuksHeader.Parse(full, full.Length).ToInfo());
        QemuLuks.Unlock(full, "letmein").Dispose();
        foreach (int slot in More)
        {
            QemuLuks.Unlock(full, $"passphrase {slot}").Dispose();
        }

        QemuLuks.Amend(image, "letmein", "state=inactive,keyslot=0");
        QemuLuks.Amend(image, "passphrase 7", "state=inactive,keyslot=5");

        byte[] fewer = File.ReadAllBytes(image);
        LuksHeader header = LuksHeader.Parse(fewer, fewer.Length);
        Assert.Equal(More.Where(slot => slot != 5), header.KeySlots.Where(slot => slot.IsActive).Select(slot => slot.Index));
        QemuLuks.AssertSameAsQemu(image, header.ToInfo());
        QemuLuks.Unlock(fewer, "passphrase 7").Dispose();
        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, Assert.Throws<Qcow2Exception>(() => QemuLuks.Unlock(fewer, "letmein")).Code);
        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, Assert.Throws<Qcow2Exception>(() => QemuLuks.Unlock(fewer, "passphrase 5")).Code);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
