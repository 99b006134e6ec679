using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Packed;

/// <summary>Manifests of OVA files: as the real programs write them, and those that mean no good.</summary>
public sealed class OvaManifestTests : IDisposable
{
    private static readonly byte[] Disk = PackedSamples.Content(3 << 20, 7);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [LinuxFact("tar", "openssl", "sha256sum", "sha1sum")]
    public void Sums_of_openssl_and_coreutils_are_compared()
    {
        _folder.Write("disk 1.vmdk", Disk);
        _folder.Write("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor("disk 1.vmdk")));
        string Of(string command) => Shell.Run("sh", "-c", $"cd '{_folder.Path}' && {command}").Trim();
        string[] manifests =
        [
            Of("openssl dgst -sha1 box.ovf 'disk 1.vmdk'"),
            Of("openssl dgst -sha256 box.ovf 'disk 1.vmdk'"),
            Of("openssl dgst -sha384 'disk 1.vmdk'"),
            Of("openssl dgst -sha512 'disk 1.vmdk'"),
            $"SHA256(disk 1.vmdk)= {Of("sha256sum 'disk 1.vmdk'").Split(' ')[0]}\r\nSHA1(disk 1.vmdk)= {Of("sha1sum 'disk 1.vmdk'").Split(' ')[0]}\r\n",
        ];
        foreach (string manifest in manifests)
        {
            _folder.Write("box.mf", Encoding.UTF8.GetBytes(manifest));
            foreach (string format in (string[])["ustar", "posix"])
            {
                string path = _folder.File("box.ova");
                Shell.Run("tar", $"--format={format}", "-C", _folder.Path, "-cf", path, "./box.ovf", "./disk 1.vmdk", "./box.mf");
                using LocalFile file = LocalFile.OpenRead(path);
                PackedDisk disk = PackedFile.Recognize(file, path)!.FindDisk(file, null);
                DiskManifest said = disk.ReadManifest(file);
                Assert.Equal((ManifestState.NotCompared, true), (said.State, said.HasSum));
                DiskManifest compared = said.Compare(disk.OpenInArchive(file));
                Assert.True(compared.State == ManifestState.Matches, $"{format}: {compared.Message}\n{manifest}");

                // One bit of the last byte.
                byte[] bytes = File.ReadAllBytes(path);
                int last = bytes.AsSpan().IndexOf(Disk) + Disk.Length - 1;
                bytes[last] ^= 1;
                DiskManifest damaged = said.Compare(disk.OpenInArchive(new MemoryStorage(bytes)));
                Assert.Equal(ManifestState.Differs, damaged.State);
                Assert.Contains("'disk 1.vmdk'", damaged.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("SHA256(disk.vmdk)= {256}\n", ManifestState.Matches)]
    [InlineData("SHA256(disk.vmdk)= {256}", ManifestState.Matches)]
    [InlineData("sha256 (disk.vmdk) = {256}\r\n", ManifestState.Matches)]
    [InlineData("\uFEFFSHA2-256(./disk.vmdk)=\t{256}\n", ManifestState.Matches)]
    [InlineData("SHA-1(disk.vmdk)= {1}\nSHA512(disk.vmdk)= {512}\n", ManifestState.Matches)]
    [InlineData("SHA1(disk.vmdk)= {1}\nSHA512(disk.vmdk)= {1}\n", ManifestState.Differs)] // Not the digits of that.
    [InlineData("SHA256(disk.vmdk)= {256}\nSHA256(disk.vmdk)= {256}\n", ManifestState.Matches)]
    [InlineData("SHA256(disk.vmdk)= {256}\nSHA256(disk.vmdk)= {0}\n", ManifestState.Differs)] // Two sums of one file.
    [InlineData("SHA256(disk.vmdk)= {256}\nSHA1(disk.vmdk)= {1}0\n", ManifestState.Differs)]
    [InlineData("SHA256(disk.vmdk)= {0}\n", ManifestState.Differs)]
    [InlineData("SHA256(disk.vmdk)= \n", ManifestState.Differs)]
    [InlineData("SHA256(disk.vmdk)= {256} {bell}\n", ManifestState.Differs)]
    [InlineData("MD5(disk.vmdk)= 00\n", ManifestState.NotCompared)]
    [InlineData("SHA3-256(disk.vmdk)= {256}\n", ManifestState.NotCompared)]
    [InlineData("{bell}[31m(disk.vmdk)= {256}\n", ManifestState.NotCompared)]
    [InlineData("WHIRLPOOL(disk.vmdk)= 00\nSHA256(disk.vmdk)= {256}\n", ManifestState.Matches)]
    [InlineData("SHA256(../disk.vmdk)= {0}\nSHA256(/disk.vmdk)= {0}\nSHA256(x/disk.vmdk)= {0}\nSHA256(DISK.vmdk)= {0}\n", ManifestState.NotMentioned)] // Names of other files.
    [InlineData("SHA256(disk.vmdk) {256}\nSHA256 disk.vmdk = {256}\n{256}  disk.vmdk\n", ManifestState.NotMentioned)]
    [InlineData("(disk.vmdk)\n)disk.vmdk(=\n=()\n(=)\n()=\n=\n\n{nul}\n", ManifestState.NotMentioned)]
    [InlineData("SHA256(disk.vmdk)x= {256}\n", ManifestState.NotMentioned)]
    [InlineData("", ManifestState.NotMentioned)]
    public void A_line_is_taken_as_it_is_meant(string text, ManifestState expected)
    {
        (DiskManifest said, BlockStorage disk) = Read(("disk.vmdk", Disk), ("box.mf", Encoding.UTF8.GetBytes(Filled(text))));
        DiskManifest compared = said.Compare(disk);
        Assert.True(expected == compared.State, compared.Message);
        Assert.False(compared.Message.Any(char.IsControl), compared.Message);
        Assert.EndsWith(".", compared.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_differs_is_said_with_both_sums_and_what_to_do()
    {
        (DiskManifest said, BlockStorage disk) = Read(("disk.vmdk", Disk), ("box.mf", Encoding.UTF8.GetBytes(Filled("SHA256(disk.vmdk)= {0}\n"))));
        DiskManifest compared = said.Compare(disk);
        Assert.Contains($"sha256:{new string('0', 64)} of 'disk.vmdk'", compared.Message, StringComparison.Ordinal);
        Assert.Contains($"sha256:{Hex(SHA256.HashData(Disk))}", compared.Message, StringComparison.Ordinal);
        Assert.Contains("get the archive again", compared.Message, StringComparison.Ordinal);
        Qcow2Exception error = compared.ToException("box.ova");
        Assert.Equal((Qcow2ErrorCode.ManifestMismatch, "box.ova"), (error.Code, error.Path));
    }

    [Fact]
    public void Names_with_brackets_and_equals_signs_are_names()
    {
        foreach (string name in (string[])["disk (1).vmdk", "a=b)=(c.vmdk", "(.vmdk", "däta/ディスク.vmdk"])
        {
            (DiskManifest said, BlockStorage disk) = Read((name, Disk), ("box.mf", Encoding.UTF8.GetBytes(Filled($"SHA256({name})= {{256}}\n"))));
            Assert.True(said.Compare(disk).State == ManifestState.Matches, name);
        }
    }

    [Fact]
    public void The_manifest_is_that_of_the_descriptor()
    {
        byte[] right = Encoding.UTF8.GetBytes(Filled("SHA256(disk.vmdk)= {256}\n"));
        byte[] wrong = Encoding.UTF8.GetBytes(Filled("SHA256(disk.vmdk)= {0}\n"));
        ManifestState Of(params (string, byte[])[] files)
        {
            (DiskManifest said, BlockStorage disk) = Read([.. files, ("disk.vmdk", Disk)]);
            return said.Compare(disk).State;
        }

        Assert.Equal(ManifestState.Matches, Of(("other.mf", wrong), ("BOX.MF", right)));
        Assert.Equal(ManifestState.Matches, Of(("other.mf", right)));
        Assert.Equal(ManifestState.NotMentioned, Of(("other.mf", wrong), ("another.mf", wrong))); // Of neither is it said.
        Assert.Equal(ManifestState.Differs, Of(("box.mf", right), ("./box.mf", right)));
        Assert.Equal(ManifestState.NotMentioned, Of(("box.mf.txt", wrong)));
    }

    [Fact]
    public void A_manifest_has_bounds()
    {
        string line = Filled("SHA256(disk.vmdk)= {256}\n");
        string name = "SHA256(disk.vmdk";
        foreach ((string text, ManifestState expected) in ((string, ManifestState)[])
        [
            (new string('\n', (4 << 20) - line.Length) + line, ManifestState.Matches),
            (new string('\n', (4 << 20) - line.Length + 1) + line, ManifestState.Differs),
            (string.Concat(Enumerable.Repeat(line, 40_000)), ManifestState.Matches),
            (string.Concat(Enumerable.Range(0, 100_000).Select(n => $"KIND{n}(disk.vmdk)= 0\n")), ManifestState.NotCompared),
            (new string('(', 1 << 20) + new string(')', 1 << 20) + new string('=', 1 << 20), ManifestState.NotMentioned),
            (string.Concat(Enumerable.Repeat(name, 200_000)), ManifestState.NotMentioned),
            ("SHA256(disk.vmdk)= " + new string('0', 3 << 20), ManifestState.Differs),
            (new string('X', 3 << 20) + "(disk.vmdk)= 00", ManifestState.NotCompared),
        ])
        {
            (DiskManifest said, BlockStorage disk) = Read(("disk.vmdk", Disk), ("box.mf", Encoding.UTF8.GetBytes(text)));
            DiskManifest compared = said.Compare(disk);
            Assert.True(expected == compared.State, compared.Message);
            Assert.InRange(compared.Message.Length, 1, 1000);
        }
    }

    [Fact]
    public void Comparing_reads_each_byte_once_and_can_be_stopped()
    {
        byte[] archive = OvaSamples.Tar(("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor("disk.vmdk"))), ("disk.vmdk", Disk), ("box.mf", Encoding.UTF8.GetBytes(Filled("SHA1(disk.vmdk)= {1}\nSHA512(disk.vmdk)= {512}\n"))));
        var storage = new MemoryStorage(archive);
        PackedDisk disk = PackedFile.Recognize(storage, "box.ova")!.FindDisk(storage, null);
        DiskManifest manifest = disk.ReadManifest(storage);
        var seen = new List<WorkProgress>();
        var counted = new CountedReads(disk.OpenInArchive(storage));
        Assert.Equal(ManifestState.Matches, manifest.Compare(counted, new Told(seen.Add)).State);
        Assert.Equal(Disk.Length, counted.Bytes);
        Assert.Equal(new WorkProgress(Disk.Length, Disk.Length), seen[^1]);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => manifest.Compare(disk.OpenInArchive(storage), new Told(_ => stop.Cancel()), stop.Token));
    }

    [Fact]
    public void A_disk_that_is_fetched_is_the_disk_and_goes_with_its_file()
    {
        string path = _folder.Write("box.ova", OvaSamples.Tar(("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor("disk.vmdk"))), ("disk.vmdk", Disk), ("box.mf", Encoding.UTF8.GetBytes(Filled("SHA256(disk.vmdk)= {256}\n")))));
        string folder = _folder.File("temporary");
        Directory.CreateDirectory(folder);
        using var file = LocalFile.OpenRead(path);
        PackedDisk disk = PackedFile.Recognize(file, path)!.FindDisk(file, null);
        DiskManifest manifest = disk.ReadManifest(file);
        using (BlockStorage fetched = disk.Fetch(LocalFile.OpenRead(path), folder, ref manifest))
        {
            Assert.Equal(ManifestState.Matches, manifest.State);
            Assert.False(fetched.HasLocalPath);
            byte[] found = new byte[Disk.Length + 1];
            Assert.Equal(Disk.Length, fetched.Read(0, found));
            Assert.Equal(Disk, found.AsSpan(0, Disk.Length).ToArray());
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
        Assert.Throws<ArgumentException>(() => disk.Fetch(LocalFile.OpenRead(path), folder, ref manifest)); // Compared already: there is no sum any more.
    }

    private static (DiskManifest Manifest, BlockStorage Disk) Read(params (string Name, byte[] Content)[] files)
    {
        string name = files.First(file => file.Content == Disk).Name;
        var storage = new MemoryStorage(OvaSamples.Tar([("box.ovf", Encoding.UTF8.GetBytes(OvaSamples.Descriptor(name))), .. files]));
        PackedDisk disk = PackedFile.Recognize(storage, "box.ova")!.FindDisk(storage, null);
        return (disk.ReadManifest(storage), disk.OpenInArchive(storage));
    }

    [SuppressMessage("Security", "CA5350", Justification = "Older manifests have SHA-1.")]
    private static string Filled(string text) => text
        .Replace("{256}", Hex(SHA256.HashData(Disk)).ToUpperInvariant())
        .Replace("{1}", Hex(Sha1(Disk)))
        .Replace("{512}", Hex(SHA512.HashData(Disk)))
        .Replace("{0}", new string('0', 64))
        .Replace("{bell}", "\a")
        .Replace("{nul}", "\0");

    /// <summary>Of older manifests.</summary>
    private static byte[] Sha1(byte[] content)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(content);
        return hash.GetHashAndReset();
    }

    private static string Hex(byte[] bytes) => string.Concat(bytes.Select(value => value.ToString("x2", CultureInfo.InvariantCulture)));

    private sealed class Told(Action<WorkProgress> tell) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => tell(value);
    }

    private sealed class CountedReads(BlockStorage storage) : BorrowedStorage(storage)
    {
        internal long Bytes { get; private set; }

        public override int Read(long offset, Span<byte> buffer)
        {
            Bytes += buffer.Length;
            return base.Read(offset, buffer);
        }
    }
}
