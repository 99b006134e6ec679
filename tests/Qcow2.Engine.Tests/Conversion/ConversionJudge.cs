using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>Says whether an image that a conversion made is what it should be.</summary>
internal static class ConversionJudge
{
    internal const string Password = "a passphrase of the tests";

    /// <summary>Compares the disk of an image with what it should hold, and looks for corruptions and leaks.</summary>
    internal static void AssertImage(string label, byte[] expected, string path, bool isEncrypted = false, bool asksQemu = true)
    {
        using (Passphrase? key = isEncrypted ? Passphrase.FromString(Password) : null)
        using (Qcow2Image copy = Qcow2Image.Open(path, new Qcow2OpenOptions { Passphrase = key }))
        {
            AssertSame(label, expected, DiskModel.ReadAll(copy));
        }

        AssertSound(label, path, expected.Length == 0 ? 1 : 0);
        if (!asksQemu || !QemuImg.IsAvailable)
        {
            return;
        }

        string? passphrase = isEncrypted ? Password : null;
        (int corruptions, int leaks, string output) = QemuJudge.Check(path, passphrase);
        Assert.True(corruptions == 0 && leaks <= (expected.Length == 0 ? 1 : 0), $"{label}: {output}");
        using var folder = new TempFolder();
        AssertSame(label + ", by qemu-img", expected, QemuJudge.Read(path, folder, passphrase)!);
    }

    /// <summary>The disk and zeros up to the end of the last sector, as an image has them.</summary>
    internal static byte[] WholeSectors(byte[] content) => [.. content, .. new byte[-content.Length & 511]];

    /// <summary>Fails if anything is damaged, or more has leaked than may: the L1 table of an empty disk, as in QEMU's images, is one that nothing counts.</summary>
    internal static void AssertSound(string label, string path, int knownLeaks = 0)
    {
        Qcow2CheckResult check = Qcow2Checker.Check(path);
        Assert.True(check.Corruptions + check.CheckErrors == 0 && check.Leaks <= knownLeaks, $"{label}: {check}, {string.Join('\n', check.Findings.Take(5).Select(finding => finding.ToString()))}");
    }

    internal static void AssertSame(string label, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        int same = expected.CommonPrefixLength(actual);
        Assert.True(
            same == expected.Length && same == actual.Length,
            $"{label}: {actual.Length} bytes, {expected.Length} expected; they differ from 0x{same:x} on.");
    }
}
