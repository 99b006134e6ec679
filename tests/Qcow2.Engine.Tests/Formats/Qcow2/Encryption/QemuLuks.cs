using System.Text.Json;
using Qcow2.Engine.Disks.Encryption;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>Has qemu make LUKS volumes. The passphrase of slot 0 is "letmein".</summary>
internal static class QemuLuks
{
    internal const int DataLength = 96 * 1024;

    internal static string Secret(string id, string value) => $"secret,id={id},data={value}";

    internal static string Create(string folder, string options)
    {
        string image = Path.Combine(folder, "volume.luks");
        QemuImg.Run(
            "create", "-q", "-f", "luks", "--object", Secret("s", "letmein"), "-o", $"key-secret=s,iter-time=10,{options}", image, $"{DataLength}");
        return image;
    }

    /// <summary>Fills the volume and returns what it was filled with.</summary>
    internal static byte[] Write(string image)
    {
        byte[] plain = new byte[DataLength];
        plain.AsSpan(0, 64 * 1024).Fill(0x5A);
        plain.AsSpan(64 * 1024).Fill(0xC3);
        QemuImg.RunIo(
            "--object", Secret("s", "letmein"), "--image-opts", $"driver=luks,file.filename={image},key-secret=s",
            "-c", "write -P 0x5a 0 64k", "-c", "write -P 0xc3 64k 32k");
        return plain;
    }

    /// <summary>Changes key slots, opening the volume with one passphrase and, where the options want it, setting another.</summary>
    internal static void Amend(string image, string passphrase, string options, string newPassphrase = "")
        => QemuImg.Run(
            "amend", "-q", "--object", Secret("s", passphrase), "--object", Secret("n", newPassphrase), "--force", "-o", options,
            "--image-opts", $"driver=luks,file.filename={image},key-secret=s");

    internal static SectorCipher Unlock(byte[] area, string text)
    {
        using var passphrase = Passphrase.FromString(text);
        return LuksUnlocker.Unlock(
            LuksHeader.Parse(area, area.Length),
            (offset, destination) => area.AsSpan((int)offset, destination.Length).CopyTo(destination),
            passphrase,
            default);
    }

    internal static void AssertSameAsQemu(string image, LuksInfo info)
    {
        using var json = JsonDocument.Parse(QemuImg.Run("info", "--output=json", image));
        JsonElement expected = json.RootElement.GetProperty("format-specific").GetProperty("data");
        if (expected.TryGetProperty("encrypt", out JsonElement encrypt))
        {
            expected = encrypt;
        }

        Assert.Equal(expected.GetProperty("cipher-alg").GetString(), info.CipherAlgorithm);
        Assert.Equal(expected.GetProperty("cipher-mode").GetString(), info.CipherMode);
        Assert.Equal(expected.GetProperty("ivgen-alg").GetString(), info.IvGeneratorAlgorithm);
        Assert.Equal(expected.TryGetProperty("ivgen-hash-alg", out JsonElement ivHash) ? ivHash.GetString() : null, info.IvGeneratorHash);
        Assert.Equal(expected.GetProperty("hash-alg").GetString(), info.HashAlgorithm);
        Assert.Equal(expected.GetProperty("uuid").GetString(), info.Uuid);
        Assert.Equal(expected.GetProperty("payload-offset").GetInt64(), info.PayloadOffset);
        Assert.Equal(expected.GetProperty("master-key-iters").GetInt64(), info.MasterKeyIterations);
        Assert.Equal(
            expected.GetProperty("slots").EnumerateArray().Select(slot => (
                slot.GetProperty("active").GetBoolean(),
                slot.TryGetProperty("iters", out JsonElement iterations) ? iterations.GetInt64() : (long?)null,
                slot.TryGetProperty("stripes", out JsonElement stripes) ? stripes.GetInt64() : (long?)null,
                slot.GetProperty("key-offset").GetInt64())),
            info.Slots.Select(slot => (slot.IsActive, slot.Iterations, slot.Stripes, slot.KeyOffset)));
        Assert.Equal(Enumerable.Range(0, 8), info.Slots.Select(slot => slot.Index));
    }
}
