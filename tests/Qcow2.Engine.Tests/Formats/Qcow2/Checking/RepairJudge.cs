using System.Globalization;
using System.Text.Json;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>
/// Judges a repair by what is not our checker: the numbers of qemu-img, and what random writes do afterwards, ours and qemu-io's.
/// </summary>
internal sealed class RepairJudge : IDisposable
{
    private const int MostBytes = 1 << 20;
    private const int MostSnapshots = 3;
    private const int SectorSize = 512;

    private readonly TempFolder _folder = new();
    private readonly string _path;
    private readonly Random _random;

    internal RepairJudge(int seed)
    {
        _path = _folder.File("image.qcow2");
        _folder.Write("data.raw", new byte[16 * 4096]);
        _random = new Random(seed);
    }

    /// <summary>Puts what the fixtures name beside themselves beside the image: data files, which are written, and bases, which are not.</summary>
    internal RepairJudge WithNeighbours()
    {
        foreach (string beside in Directory.EnumerateFiles(Fixtures.Root))
        {
            string name = _folder.File(Path.GetFileName(beside));
            if (Path.GetExtension(beside) == ".raw")
            {
                File.Copy(beside, name, overwrite: true);
            }
            else
            {
                File.CreateSymbolicLink(name, beside);
            }
        }

        return this;
    }

    /// <summary>Whether any write of ours was refused; the disk is the same then.</summary>
    internal bool WasRefused { get; private set; }

    public void Dispose() => _folder.Dispose();

    /// <summary>Repairs an image and judges the outcome.</summary>
    /// <returns>Null if the repair was refused, and so changed nothing.</returns>
    internal Qcow2CheckResult? Judge(byte[] broken)
    {
        File.WriteAllBytes(_path, broken);
        (CheckNumbers? before, _) = Check();
        Qcow2CheckResult result;
        try
        {
            result = Qcow2Repairer.Repair(_path, Qcow2RepairMode.All);
        }
        catch (Qcow2Exception)
        {
            Assert.Equal(broken, File.ReadAllBytes(_path));
            return null;
        }

        (CheckNumbers? after, string said) = Check();
        AssertNoWorse(before, after, said);
        if (File.ReadAllBytes(_path) is byte[] repaired && !repaired.AsSpan().SequenceEqual(broken))
        {
            JudgeWrites(result, after);
        }

        return result;
    }

    private static void AssertNoWorse(CheckNumbers? before, CheckNumbers? after, string said)
    {
        if (before is not null)
        {
            Assert.True(after is not null, $"QEMU could check it before the repair, and cannot now: {said}");
            Assert.True(
                after.Corruptions <= before.Corruptions && after.Leaks <= before.Leaks && after.CheckErrors <= before.CheckErrors,
                $"Before: {before}\nAfter: {after}\n{said}");
        }
    }

    private void JudgeWrites(Qcow2CheckResult result, CheckNumbers? repaired)
    {
        List<ReadableDisk> disks;
        try
        {
            disks = Read();
        }
        catch (Qcow2Exception) when (!result.IsHealthy)
        {
            return;
        }

        if (disks[0].Content.Length < SectorSize)
        {
            return;
        }

        WriteByUs(disks[0]);
        AssertSame(disks, Read(), "our writes");
        if (!result.IsHealthy || repaired is null)
        {
            // QEMU does not look before it writes, so what is left for people would be made worse by it; or it refuses the image.
            return;
        }

        WriteByQemu(disks[0]);
        AssertSame(disks, Read(), "writes of qemu-io");
        AssertSame(disks, ReadByQemu(disks), "all writes, as qemu-img reads them");
        (CheckNumbers? written, string said) = Check();
        AssertNoWorse(repaired, written, said);
    }

    private void WriteByUs(ReadableDisk disk)
    {
        for (int session = 0; session < 2; session++)
        {
            try
            {
                using Qcow2Image writable = Qcow2Image.Open(_path, new Qcow2OpenOptions { Writable = true });
                for (int i = 0; i < 12; i++)
                {
                    if (Range(disk, disk.Content.Length, 1) is not (int offset, int count))
                    {
                        continue;
                    }

                    byte[] data = new byte[count];
                    if (i % 4 != 3)
                    {
                        _random.NextBytes(data);
                    }

                    WriteOne(writable, offset, data, isZero: i % 4 == 3);
                    data.CopyTo(disk.Content, offset);
                }
            }
            catch (Qcow2Exception)
            {
                WasRefused = true;
                return;
            }
        }
    }

    private static void WriteOne(Qcow2Image image, int offset, byte[] data, bool isZero)
    {
        if (isZero)
        {
            image.WriteZeroes(offset, data.Length);
        }
        else
        {
            image.Write(offset, data);
        }
    }

    private void WriteByQemu(ReadableDisk disk)
    {
        var commands = new List<string>();
        for (int i = 0; i < 12; i++)
        {
            if (Range(disk, disk.Content.Length & ~(SectorSize - 1), SectorSize) is not (int offset, int count))
            {
                continue;
            }

            byte pattern = i % 4 == 3 ? (byte)0 : (byte)_random.Next(1, 256);
            commands.AddRange(["-c", string.Create(CultureInfo.InvariantCulture, $"write -q {(pattern == 0 ? "-z" : $"-P {pattern}")} {offset} {count}")]);
            disk.Content.AsSpan(offset, count).Fill(pattern);
        }

        ProgramResult qemu = QemuImg.TryRunIoIn(_folder.Path, ["-f", "qcow2", .. commands, _path]);
        Assert.True(qemu.ExitCode == 0, qemu.Error + qemu.Output);
    }

    /// <summary>A random range of a disk whose clusters can all be read: no more is asked of the others.</summary>
    private (int Offset, int Count)? Range(ReadableDisk disk, int length, int unit)
    {
        for (int attempt = 0; attempt < 50; attempt++)
        {
            int offset = _random.Next(length / unit) * unit;
            int most = Math.Min(length - offset, _random.Next(3) == 0 ? 20_000 : 2_000);
            int count = Math.Max(unit, _random.Next(most + 1) / unit * unit);
            if (disk.IsReadable(offset, count))
            {
                return (offset, count);
            }
        }

        return null;
    }

    /// <summary>The start of every disk.</summary>
    private List<ReadableDisk> Read()
    {
        using Qcow2Image image = Qcow2Image.Open(_path);
        var disks = new List<ReadableDisk> { ReadableDisk.Read(image, MostBytes) };
        foreach (var snapshot in image.Snapshots.Take(MostSnapshots))
        {
            try
            {
                using VirtualDisk disk = image.OpenSnapshot(snapshot);
                disks.Add(ReadableDisk.Read(disk, MostBytes));
            }
            catch (Qcow2Exception)
            {
                disks.Add(new ReadableDisk([], []));
            }
        }

        return disks;
    }

    private List<ReadableDisk> ReadByQemu(List<ReadableDisk> like)
    {
        var disks = new List<ReadableDisk>();
        for (int i = 0; i < like.Count; i++)
        {
            string raw = _folder.File($"{i}.raw");
            string[] which = [];
            if (i > 0)
            {
                using Qcow2Image image = Qcow2Image.Open(_path);
                which = ["-l", $"snapshot.id={image.Snapshots[i - 1].Id}"];
            }

            if (!like[i].IsReadable(0, like[i].Content.Length) || like[i].Content.Length == 0)
            {
                disks.Add(like[i]); // It gives up at the first cluster that it cannot read.
                continue;
            }

            ProgramResult qemu = QemuImg.TryRunIn(_folder.Path, ["convert", "-f", "qcow2", "-O", "raw", .. which, _path, raw]);
            Assert.True(qemu.ExitCode == 0, qemu.Error);
            using FileStream file = File.OpenRead(raw);
            byte[] content = [.. like[i].Content];

            // QEMU shows whole sectors only.
            file.ReadExactly(content, 0, (int)Math.Min(file.Length, content.Length));
            disks.Add(new ReadableDisk(content, like[i].Unreadable));
        }

        return disks;
    }

    private static void AssertSame(List<ReadableDisk> expected, List<ReadableDisk> actual, string after)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (int i = 0; i < expected.Count; i++)
        {
            int? at = expected[i].FirstDifference(actual[i]);
            Assert.True(at is null, $"{(i == 0 ? "The disk" : $"Snapshot {i}")} differs at 0x{at:x} after {after}.");
        }
    }

    private (CheckNumbers? Numbers, string Said) Check()
    {
        ProgramResult qemu = QemuImg.TryRunIn(_folder.Path, ["check", "-f", "qcow2", "--output=json", _path]);
        if (!qemu.Output.TrimStart().StartsWith('{'))
        {
            return (null, qemu.Error);
        }

        using JsonDocument json = JsonDocument.Parse(qemu.Output);
        return (CheckNumbers.Of(json), qemu.Error[..Math.Min(500, qemu.Error.Length)]);
    }
}
