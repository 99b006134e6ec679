using System.Text.Json;
using Qcow2.Engine.Format;
using Qcow2.Engine.Storage;
using Qcow2.Engine.Tests.Formats.Qcow2.Snapshots;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Amending;

/// <summary>What <c>qemu-img amend</c> does: the image is what was asked for, and its disk, snapshots and bitmaps are what they were.</summary>
public sealed class ImageAmendTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TempFolder _second = new();

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach ((string image, string words) in AmendCase.All)
            {
                cases.Add(image, words);
            }

            return cases;
        }
    }

    public void Dispose()
    {
        _folder.Dispose();
        _second.Dispose();
    }

    [Theory, MemberData(nameof(Cases))]
    public void Image_becomes_what_is_asked_for_and_shows_what_it_showed(string image, string words)
    {
        AmendCase one = AmendCase.Of(image, words);
        byte[] start = one.Start.Content;
        MemoryStorage storage = one.Storage();
        ImageAmend.Amend(storage, one.Options);
        byte[] file = storage.Content;

        Qcow2Header before = Qcow2Header.Parse(start);
        Qcow2Header header = Qcow2Header.Parse(file);
        Assert.Equal(one.Options.Version ?? before.Version, header.Version);
        Assert.Equal(one.Options.RefcountBits ?? before.RefcountOrder.Bits, header.RefcountOrder.Bits);
        Assert.Equal(header.Version == 3 && (one.Options.LazyRefcounts ?? before.Has(CompatibleFeatures.LazyRefcounts)), header.Has(CompatibleFeatures.LazyRefcounts));
        Assert.Equal(one.Options.DataFile ?? before.Extension<DataFileNameExtension>()?.FileName, header.Extension<DataFileNameExtension>()?.FileName);
        Assert.Equal(one.Options.DataFileRaw ?? before.Has(AutoclearFeatures.RawExternalData), header.Has(AutoclearFeatures.RawExternalData));
        Assert.False(header.Has(IncompatibleFeatures.Dirty) && !words.Contains("data_file", StringComparison.Ordinal));
        Assert.Equal(AmendCase.Others(before), AmendCase.Others(header));
        Assert.Equal((before.BackingFile, before.Size), (header.BackingFile, header.Size));
        Assert.True(one.Read(file).IsSame(one.Read(start)), "The disk or a snapshot changed.");
        if (image.StartsWith("bitmaps", StringComparison.Ordinal))
        {
            AssertBitmaps(start, file);
        }

        Assert.Equal(image is "bitmaps-stale" or "leaks", AmendCase.Audit(file, $"{image}, {words}") > 0);
        if (header.Version == 2)
        {
            one.AssertNoZeroFlags(file);
        }
    }

    [QemuTheory, MemberData(nameof(Cases))]
    public void Qemu_makes_the_same_of_it_and_finds_nothing_wrong_with_ours(string image, string words)
    {
        AmendCase one = AmendCase.Of(image, words);
        string ours = one.Start.CopyTo(_folder);
        string theirs = one.Start.CopyTo(_second);
        if (one.Options.DataFile is string data)
        {
            string stored = Qcow2Header.Parse(File.ReadAllBytes(ours)).Extension<DataFileNameExtension>()!.FileName;
            foreach (string path in (string[])[ours, theirs])
            {
                File.Copy(Path.Combine(Path.GetDirectoryName(path)!, stored), Path.Combine(Path.GetDirectoryName(path)!, data));
            }
        }

        ImageAmend.Amend(ours, one.Options);
        string[] secret = one.Start.Passphrase is string passphrase ? ["--object", $"secret,id=key,data={passphrase}"] : [];
        string name = Path.GetFileName(theirs);
        QemuImg.RunIn(Path.GetDirectoryName(theirs)!, secret.Length == 0
            ? ["amend", "-f", "qcow2", "-o", words, name]
            : ["amend", .. secret, "-o", words, "--image-opts", $"driver=qcow2,file.filename={name},encrypt.key-secret=key"]);

        Qcow2Header expected = Qcow2Header.Parse(File.ReadAllBytes(theirs));
        Qcow2Header header = Qcow2Header.Parse(File.ReadAllBytes(ours));
        if (image == "bit-compatible-unknown" || image.StartsWith("data-file", StringComparison.Ordinal))
        {
            expected = expected with { CompatibleFeatures = header.CompatibleFeatures };
        }

        Assert.Equal(AmendCase.Describe(expected), AmendCase.Describe(header));
        Assert.Equal(Information(theirs), Information(ours));
        (int corruptions, int leaks, string said) = QemuJudge.Check(ours, one.Start.Passphrase);
        Assert.True(corruptions == 0 && (leaks == 0 || image == "bitmaps-stale"), said);

        // QEMU fills clusters of an encrypted image with zeros that are not encrypted, and the disk is no longer what it was.
        byte[]? disk = image == "built-luks" ? one.Read(one.Start.Content).Disk : QemuJudge.Read(theirs, _second, one.Start.Passphrase);
        Assert.Equal(disk, QemuJudge.Read(ours, _folder, one.Start.Passphrase));
    }

    [Theory]
    [InlineData("v2", "lazy_refcounts=on", "version 2 has no lazy refcounts")]
    [InlineData("v2", "refcount_bits=8", "refcounts of version 2 have 16 bits; 8 need version 3")]
    [InlineData("v3", "data_file=x.raw", "has no external data file")]
    [InlineData("v3", "data_file_raw=on", "cannot be made a raw image")]
    [InlineData("data-file", "data_file_raw=on", "cannot be made a raw image")]
    [InlineData("data-file", "compat=0.10", "external data file")]
    [InlineData("extl2", "compat=0.10", "extended L2 entries")]
    [InlineData("refcount-8", "compat=0.10", "refcounts of 8 bits")]
    [InlineData("bitmaps", "compat=0.10", "bitmaps")]
    [InlineData("zstd", "compat=0.10", "compressed with zstd")]
    [InlineData("snapshots", "compat=0.10", "version 2 knows one size only")]
    public void What_the_image_forbids_is_refused_by_name_before_anything_is_written(string image, string words, string expected)
    {
        AmendCase one = AmendCase.Of(image, words);
        MemoryStorage storage = Unwritable(one);

        var error = Assert.Throws<NotSupportedException>(() => ImageAmend.Amend(storage, one.Options));

        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(storage.Path, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("snapshots", "refcount_bits=1", "refcounts of 1 bit count to 1")]
    [InlineData("snapshots-v2", "compat=1.1,refcount_bits=1", "refcounts of 1 bit count to 1")]
    public void Count_that_does_not_fit_is_refused_before_anything_is_written(string image, string words, string expected)
    {
        AmendCase one = AmendCase.Of(image, words);

        var error = Assert.Throws<Qcow2Exception>(() => ImageAmend.Amend(Unwritable(one), one.Options));

        Assert.Equal(Qcow2ErrorCode.LimitExceeded, error.Code);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("compat=0.10,refcount_bits=8")]
    [InlineData("compat=0.10,lazy_refcounts=on")]
    [InlineData("refcount_bits=3")]
    [InlineData("refcount_bits=128")]
    [InlineData("data_file=")]
    public void Options_that_contradict_each_other_are_refused(string words)
    {
        AmendCase one = AmendCase.Of("data-file", words);

        Assert.Throws<ArgumentException>(() => ImageAmend.Amend(Unwritable(one), one.Options));
    }

    [Fact]
    public void Corrupt_image_is_not_amended()
    {
        AmendCase one = AmendCase.Of("bit-corrupt", "lazy_refcounts=on");

        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.Throws<Qcow2Exception>(() => ImageAmend.Amend(Unwritable(one), one.Options)).Code);
    }

    /// <summary>A cluster of zeros that keeps its place may be what a snapshot shows there.</summary>
    [Fact]
    public void Zeros_over_what_a_snapshot_shows_leave_the_snapshot_alone()
    {
        var storage = new MemoryStorage([]);
        byte[] data = new byte[65_536];
        new Random(5).NextBytes(data);
        using (Qcow2Image image = Qcow2Image.Create(storage, 1 << 20))
        {
            image.Write(0, data);
            image.Write(65_536, data);
            image.CreateSnapshot("s");
        }

        var amended = new MemoryStorage(storage.Content);
        using (Qcow2Image image = Qcow2Image.Open(new BorrowedStorage(amended, isWritable: true), new Qcow2OpenOptions { Writable = true }))
        {
            image.WriteZeroes(0, 65_536, keepAllocation: true);
        }

        ImageAmend.Amend(amended, new ImageAmendOptions { Version = 2 });

        using Qcow2Image after = Qcow2Image.Open(new MemoryStorage(amended.Content));
        var model = SnapshotModel.Read(after);
        Assert.Equal(data, model.Snapshots["1"].Content[..65_536]);
        Assert.Equal(new byte[65_536], model.Disk[..65_536]);
        Assert.Equal(data, model.Disk[65_536..131_072]);
        Assert.Equal(0, AmendCase.Audit(amended.Content, "zeros over a snapshot"));
    }

    [Fact]
    public void Encrypted_zeros_need_the_passphrase()
    {
        AmendCase one = AmendCase.Of("built-luks", "compat=0.10");

        var error = Assert.Throws<Qcow2Exception>(() => ImageAmend.Amend(Unwritable(one), one.Options with { Passphrase = null }));

        Assert.Equal(Qcow2ErrorCode.PassphraseRequired, error.Code);
    }

    [Theory]
    [InlineData("refcount-64-cluster-512", "refcount_bits=1")]
    [InlineData("zero-over-backing", "compat=0.10")]
    public void Work_that_is_stopped_leaves_the_image_as_it_was(string image, string words)
    {
        AmendCase one = AmendCase.Of(image, words);
        using var stop = new CancellationTokenSource();
        MemoryStorage storage = one.Storage();
        storage.BeforeWrite = (_, _) => stop.Cancel();

        Assert.Throws<OperationCanceledException>(() => ImageAmend.Amend(storage, one.Options, null, stop.Token));

        storage.BeforeWrite = null;
        Assert.Equal(AmendCase.Describe(Qcow2Header.Parse(one.Start.Content)), AmendCase.Describe(Qcow2Header.Parse(storage.Content)));
        Assert.True(one.Read(storage.Content).IsSame(one.Read(one.Start.Content)));
        AmendCase.Audit(storage.Content, image);
    }

    [Fact]
    public void Progress_goes_up_to_the_end()
    {
        AmendCase one = AmendCase.Of("refcount-64", "compat=0.10,refcount_bits=16");
        var told = new List<WorkProgress>();

        ImageAmend.Amend(one.Storage(), one.Options, new Teller(told.Add));

        Assert.True(told.Count > 2);
        Assert.Equal(told.Select(progress => progress.BytesDone).Order(), told.Select(progress => progress.BytesDone));
        Assert.All(told, progress => Assert.InRange(progress.BytesDone, 0, progress.BytesTotal));
    }

    private static void AssertBitmaps(byte[] start, byte[] file)
    {
        Assert.Equal(Bitmaps(start), Bitmaps(file));
        static List<string> Bitmaps(byte[] content)
        {
            using Qcow2Image image = Qcow2Image.Open(new MemoryStorage(content));
            return [.. image.Bitmaps.Select(bitmap => $"{bitmap.Name} {bitmap.TableOffset:x} {bitmap.Flags}")];
        }
    }

    private static MemoryStorage Unwritable(AmendCase one)
    {
        MemoryStorage storage = one.Storage();
        storage.BeforeWrite = (offset, _) => throw new InvalidOperationException($"A write at 0x{offset:x}.");
        storage.BeforeSetLength = _ => throw new InvalidOperationException("The length was changed.");
        return storage;
    }

    private static string Information(string path)
    {
        using JsonDocument json = JsonDocument.Parse(QemuImg.RunIn(Path.GetDirectoryName(path)!, "info", "--output=json", Path.GetFileName(path)));
        return $"{json.RootElement.GetProperty("virtual-size")} {json.RootElement.GetProperty("format-specific").GetProperty("data").GetRawText()}";
    }

    private sealed class Teller(Action<WorkProgress> tell) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => tell(value);
    }
}
