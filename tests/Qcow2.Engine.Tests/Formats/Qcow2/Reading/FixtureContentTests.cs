using System.Buffers;
using System.Security.Cryptography;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Every fixture reads as qemu-img reads it, in whatever way it is read.</summary>
public class FixtureContentTests
{
    [Theory]
    [MemberData(nameof(Fixtures.WithContent), MemberType = typeof(Fixtures))]
    public void Whole_disk_equals_what_qemu_img_converts(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image image = fixture.Open();

        Assert.Equal(fixture.DiskSha256, Hash(image, 1 << 20));
    }

    [Theory]
    [MemberData(nameof(Fixtures.WithContent), MemberType = typeof(Fixtures))]
    public void Unaligned_pieces_equal_the_whole(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image image = fixture.Open();

        Assert.Equal(fixture.DiskSha256, Hash(image, 12_345));
    }

    [Theory]
    [MemberData(nameof(Fixtures.WithContent), MemberType = typeof(Fixtures))]
    public void Stream_equals_the_whole(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image image = fixture.Open();
        using Stream stream = image.AsStream();

        Assert.Equal(fixture.DiskSha256, Convert.ToHexStringLower(SHA256.HashData(stream)));
        Assert.Equal(image.Length, stream.Position);
    }

    [Theory]
    [MemberData(nameof(Fixtures.WithContent), MemberType = typeof(Fixtures))]
    public void Random_ranges_from_many_threads_equal_the_whole(string name)
    {
        using Qcow2Image image = Fixtures.Get(name).Open();
        byte[] whole = new byte[image.Length];
        Assert.Equal(whole.Length, image.Read(0, whole));

        Parallel.For(0, 8, thread =>
        {
            var random = new Random(thread);
            byte[] buffer = new byte[100_000];
            for (int i = 0; i < 50 && whole.Length > 0; i++)
            {
                int offset = random.Next(whole.Length);
                int length = random.Next(1, buffer.Length);
                int read = image.Read(offset, buffer.AsSpan(0, length));
                Assert.Equal(Math.Min(length, whole.Length - offset), read);
                Assert.True(buffer.AsSpan(0, read).SequenceEqual(whole.AsSpan(offset, read)), $"{offset}+{read} differs (seed {thread}, turn {i})");
            }
        });
    }

    [Theory]
    [MemberData(nameof(Fixtures.WithContent), MemberType = typeof(Fixtures))]
    public void Raw_file_equals_what_qemu_img_converts(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using var folder = new TempFolder();
        string path = folder.File("disk.raw");
        using (Qcow2Image image = fixture.Open())
        {
            DiskConverter.ConvertToRaw(image, path, options: new ConversionOptions { ThrottleLimit = 3 });
        }

        using FileStream raw = File.OpenRead(path);
        Assert.Equal(fixture.DiskSha256, Convert.ToHexStringLower(SHA256.HashData(raw)));
    }

    [Theory]
    [MemberData(nameof(Fixtures.WithSnapshots), MemberType = typeof(Fixtures))]
    public void Each_snapshot_equals_what_qemu_img_reads(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        using Qcow2Image image = fixture.Open();

        foreach (SnapshotTableEntry snapshot in image.Snapshots.Where(snapshot => fixture.SnapshotSha256.ContainsKey(snapshot.Id)))
        {
            using VirtualDisk disk = image.OpenSnapshot(snapshot);
            Assert.Equal(fixture.SnapshotSha256[snapshot.Id], Hash(disk, 1 << 20));
        }

        Assert.All(fixture.SnapshotSha256.Keys, id => Assert.Contains(image.Snapshots, snapshot => snapshot.Id == id));
    }

    [Fact]
    public void Ranges_of_a_huge_disk_equal_what_qemu_img_reads()
    {
        Fixture fixture = Fixtures.Get("sparse-1t");
        using Qcow2Image image = fixture.Open();

        foreach ((long offset, int length, string sha256) in fixture.RangeSha256)
        {
            byte[] range = new byte[length];
            image.Read(offset, range);
            Assert.Equal(sha256, Convert.ToHexStringLower(SHA256.HashData(range)));
        }
    }

    [Fact]
    public void Every_passphrase_opens_its_slot()
    {
        Fixture fixture = Fixtures.Get("luks-slots");
        foreach (string passphrase in fixture.Passphrases)
        {
            using Qcow2Image image = fixture.Open(passphrase);
            Assert.Equal(fixture.DiskSha256, Hash(image, 1 << 20));
        }
    }

    private static string Hash(VirtualDisk disk, int pieceLength)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] piece = ArrayPool<byte>.Shared.Rent(pieceLength);
        long offset = 0;
        int read;
        while ((read = disk.Read(offset, piece.AsSpan(0, pieceLength))) > 0)
        {
            hash.AppendData(piece, 0, read);
            offset += read;
        }

        ArrayPool<byte>.Shared.Return(piece);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
