using System.Text.Json;
using Qcow2.Engine.Format;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Every property equals what <c>qemu-img info --output=json</c> says.</summary>
public class FixtureInformationTests
{
    public static TheoryData<string> WithInfo => Fixtures.Select(fixture => fixture.HasInfo);

    [Theory]
    [MemberData(nameof(WithInfo))]
    public void Information_agrees_with_qemu_img_info(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        Qcow2ImageInfo info = Qcow2ImageInfo.Read(fixture.Path);
        using JsonDocument document = fixture.ReadInfo();
        JsonElement expected = document.RootElement;
        JsonElement data = expected.GetProperty("format-specific").GetProperty("data");

        Assert.Equal(expected.GetProperty("format").GetString(), info.Format);
        Assert.Equal(expected.GetProperty("virtual-size").GetInt64(), info.Size);
        Assert.Equal(expected.GetProperty("cluster-size").GetInt32(), info.ClusterSize);
        Assert.Equal(expected.GetProperty("dirty-flag").GetBoolean(), info.IsDirty);
        Assert.Equal(expected.TryGetProperty("encrypted", out JsonElement encrypted) && encrypted.GetBoolean(), info.EncryptionMethod != EncryptionMethod.None);
        Assert.Equal(Text(expected, "backing-filename"), info.BackingFile);
        Assert.Equal(Text(expected, "backing-filename-format"), info.BackingFormat);

        Assert.Equal(data.GetProperty("compat").GetString(), info.Version == 2 ? "0.10" : "1.1");
        Assert.Equal(data.GetProperty("refcount-bits").GetInt32(), info.RefcountBits);
        Assert.Equal(data.GetProperty("compression-type").GetString(), info.CompressionType == CompressionType.Deflate ? "zlib" : "zstd");
        Assert.Equal(Flag(data, "lazy-refcounts"), info.HasLazyRefcounts);
        Assert.Equal(Flag(data, "corrupt"), info.IsCorrupt);
        Assert.Equal(Flag(data, "extended-l2"), info.IsExtendedL2);
        Assert.Equal(Text(data, "data-file"), info.DataFile);
        Assert.Equal(Flag(data, "data-file-raw"), info.IsDataFileRaw);

        CompareSnapshots(expected, info);
        CompareBitmaps(data, info);
        CompareEncryption(data, info);
    }

    [QemuTheory]
    [MemberData(nameof(WithInfo))]
    public void File_sizes_agree_with_the_host(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using JsonDocument document = JsonDocument.Parse(QemuImg.Run("info", "-U", "--output=json", "-f", "qcow2", fixture.Path));

        Qcow2ImageInfo info = Qcow2ImageInfo.Read(fixture.Path);

        Assert.Equal(document.RootElement.GetProperty("actual-size").GetInt64(), info.AllocatedSize);
        Assert.Equal(new FileInfo(fixture.Path).Length, info.FileSize);
    }

    private static void CompareSnapshots(JsonElement expected, Qcow2ImageInfo info)
    {
        JsonElement[] snapshots = expected.TryGetProperty("snapshots", out JsonElement list) ? [.. list.EnumerateArray()] : [];
        Assert.Equal(snapshots.Length, info.Snapshots.Length);
        foreach ((JsonElement theirs, Qcow2Snapshot ours) in snapshots.Zip(info.Snapshots))
        {
            Assert.Equal(theirs.GetProperty("id").GetString(), ours.Id);
            Assert.Equal(theirs.GetProperty("name").GetString(), ours.Name);
            Assert.Equal(theirs.GetProperty("vm-state-size").GetInt64(), ours.VmStateSize);
            Assert.Equal(theirs.TryGetProperty("icount", out JsonElement icount) ? icount.GetUInt64() : null, ours.InstructionCount);

            DateTimeOffset taken = DateTimeOffset.FromUnixTimeSeconds(theirs.GetProperty("date-sec").GetInt64())
                .AddTicks(theirs.GetProperty("date-nsec").GetInt64() / 100);
            Assert.Equal(taken.LocalDateTime, ours.CreationTime);
            TimeSpan clock = TimeSpan.FromSeconds(theirs.GetProperty("vm-clock-sec").GetInt64())
                + TimeSpan.FromTicks(theirs.GetProperty("vm-clock-nsec").GetInt64() / 100);
            Assert.Equal(clock, ours.VmClock);
        }
    }

    private static void CompareBitmaps(JsonElement data, Qcow2ImageInfo info)
    {
        JsonElement[] bitmaps = data.TryGetProperty("bitmaps", out JsonElement list) ? [.. list.EnumerateArray()] : [];
        Assert.Equal(bitmaps.Length, info.Bitmaps.Length);
        foreach ((JsonElement theirs, Qcow2Bitmap ours) in bitmaps.Zip(info.Bitmaps))
        {
            string?[] flags = [.. theirs.GetProperty("flags").EnumerateArray().Select(flag => flag.GetString())];
            Assert.Equal(theirs.GetProperty("name").GetString(), ours.Name);
            Assert.Equal(theirs.GetProperty("granularity").GetInt64(), ours.Granularity);
            Assert.Equal(flags.Contains("auto"), ours.IsEnabled);
            Assert.Equal(flags.Contains("in-use"), ours.IsInUse);
        }
    }

    private static void CompareEncryption(JsonElement data, Qcow2ImageInfo info)
    {
        if (!data.TryGetProperty("encrypt", out JsonElement encryption))
        {
            Assert.Equal(EncryptionMethod.None, info.EncryptionMethod);
            return;
        }

        bool isLuks = encryption.GetProperty("format").GetString() == "luks";
        Assert.Equal(isLuks ? EncryptionMethod.Luks : EncryptionMethod.Aes, info.EncryptionMethod);
        if (!isLuks)
        {
            Assert.Null(info.Luks);
            return;
        }

        LuksInfo luks = Assert.IsType<LuksInfo>(info.Luks);
        Assert.Equal(encryption.GetProperty("uuid").GetString(), luks.Uuid);
        Assert.Equal(encryption.GetProperty("cipher-alg").GetString(), luks.CipherAlgorithm);
        Assert.Equal(encryption.GetProperty("cipher-mode").GetString(), luks.CipherMode);
        Assert.Equal(encryption.GetProperty("ivgen-alg").GetString(), luks.IvGeneratorAlgorithm);
        Assert.Equal(Text(encryption, "ivgen-hash-alg"), luks.IvGeneratorHash);
        Assert.Equal(encryption.GetProperty("hash-alg").GetString(), luks.HashAlgorithm);
        Assert.Equal(encryption.GetProperty("payload-offset").GetInt64(), luks.PayloadOffset);
        Assert.Equal(encryption.GetProperty("master-key-iters").GetInt64(), luks.MasterKeyIterations);
        foreach ((JsonElement theirs, LuksKeySlotInfo ours) in encryption.GetProperty("slots").EnumerateArray().Zip(luks.Slots))
        {
            Assert.Equal(theirs.GetProperty("active").GetBoolean(), ours.IsActive);
            Assert.Equal(theirs.GetProperty("key-offset").GetInt64(), ours.KeyOffset);
            Assert.Equal(theirs.TryGetProperty("iters", out JsonElement iterations) ? iterations.GetInt64() : null, ours.Iterations);
            Assert.Equal(theirs.TryGetProperty("stripes", out JsonElement stripes) ? stripes.GetInt64() : null, ours.Stripes);
        }
    }

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;

    private static bool Flag(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement value) && value.GetBoolean();
}
