using System.Diagnostics;
using Qcow2.Engine.Chains;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>What is replaced or deleted is held against writers from the first read on, and nobody writes what has lost its name.</summary>
public sealed class HeldFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Image(string name = "image.qcow2")
    {
        string path = _folder.File(name);
        using var image = Qcow2Image.Create(path, 1 << 20);
        image.Write(0, new byte[512]);
        return path;
    }

    [Fact]
    public void Held_file_is_refused_to_writers_and_shown_to_readers_that_take_what_they_get()
    {
        string path = Image();
        using (var held = HeldFile.Hold(path))
        {
            Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true })).Code);
            Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => HeldFile.Hold(path)).Code);
            Qcow2Image.Open(path, new Qcow2OpenOptions { ForceShare = true }).Dispose();
            using LocalFile beside = held.OpenRead();
            Assert.Equal(FileSameness.Same, beside.Identity.SamenessTo(held.File.Identity));
        }

        Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }).Dispose();
    }

    [Fact]
    public void Writer_keeps_a_file_from_being_held()
    {
        string path = Image();
        using (Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
        {
            var error = Assert.Throws<Qcow2Exception>(() => HeldFile.Hold(path));
            Assert.Equal(Qcow2ErrorCode.ImageLocked, error.Code);
            Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        }

        Assert.True(File.Exists(path));
    }

    [Fact]
    public void What_was_put_in_the_place_of_a_held_file_is_neither_deleted_nor_replaced()
    {
        string path = Image(), other = Image("other.qcow2");
        byte[] expected = File.ReadAllBytes(other);
        using var held = HeldFile.Hold(path);
        using var replacement = ReplacementFile.Create(held);
        File.Move(path, _folder.File("moved.qcow2"));
        File.Move(other, path);

        Assert.Contains(path, Assert.Throws<IOException>(held.Delete).Message, StringComparison.Ordinal);
        Assert.Throws<IOException>(() => held.OpenRead());
        Assert.Throws<IOException>(replacement.Commit);
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [LinuxFact]
    public void Writer_that_locks_a_file_after_it_lost_its_name_takes_the_one_that_has_it_now()
    {
        string path = Image();
        int opened = 0;
        using LocalFile file = LockedFile.Open(
            path,
            () =>
            {
                var found = LocalFile.OpenReadWrite(path);
                if (++opened == 1)
                {
                    ImageOptimizer.Optimize(path, new ImageOptimizeOptions { ReplacesAlways = true });
                }

                return found;
            },
            ImageLock.AcquireForWriting);
        Assert.Equal(2, opened);
        Assert.Equal(FileSameness.Same, LocalFile.TryIdentify(path)!.Value.SamenessTo(file.Identity));
    }

    [LinuxFact]
    public void Writer_that_locks_a_file_that_was_deleted_is_told_so()
    {
        string path = Image();
        Assert.Throws<FileNotFoundException>(() => LockedFile.Open(
            path,
            () =>
            {
                var found = LocalFile.OpenReadWrite(path);
                File.Delete(path);
                return found;
            },
            ImageLock.AcquireForWriting));
    }

    [LinuxFact]
    public void Replaced_file_stays_locked_while_somebody_may_still_ask_for_its_lock()
    {
        string path = _folder.File("disk.raw");
        File.WriteAllText(path, "old");
        LocalFile? late = null;
        Task<bool>? asks = null;
        using (var replacement = ReplacementFile.Create(path, overwrite: true))
        {
            late = LocalFile.OpenReadWrite(path); // As QEMU does: the lock comes later.
            replacement.Commit();
            Assert.Equal(0, FileStatus.OfDescriptorOn(late.Handle)!.Value.Access!.Value.Links);
            asks = Task.Factory.StartNew(
                () =>
                {
                    Thread.Sleep(300);
                    try
                    {
                        ImageLock.AcquireForWriting(late);
                        return true;
                    }
                    catch (Qcow2Exception e) when (e.Code == Qcow2ErrorCode.ImageLocked)
                    {
                        return false;
                    }
                    finally
                    {
                        late.Dispose();
                    }
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
        }

        Assert.False(asks.GetAwaiter().GetResult(), "It would have written into a file that nobody can find.");
    }

    /// <summary>QEMU is slowed down between its opening of the file and its lock, and the image is replaced in between.</summary>
    [LinuxFact("strace", "qemu-io")]
    public async Task Qemu_that_opened_an_image_before_it_was_replaced_is_refused()
    {
        string path = Image();
        var start = new ProcessStartInfo(
            "strace",
            ["-f", "-qq", "-o", _folder.File("trace"), "-P", path, "-e", "trace=fcntl", "-e", "inject=fcntl:delay_enter=600000:when=1", "qemu-io", "-f", "qcow2", "-c", "write -P 9 0 512", path])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using (var held = HeldFile.Hold(path))
        using (var replacement = ReplacementFile.Create(held))
        {
            replacement.Storage.Write(0, File.ReadAllBytes(path));
            using Process qemu = Process.Start(start)!;
            while (!IsOpenForWriting("qemu-io", path))
            {
                Assert.False(qemu.HasExited, "It ended before it had the image open.");
                await Task.Delay(5);
            }

            replacement.Commit();
            held.Dispose(); // Waits until QEMU was refused.
            string said = await qemu.StandardOutput.ReadToEndAsync() + await qemu.StandardError.ReadToEndAsync();
            await qemu.WaitForExitAsync();
            Assert.True(qemu.ExitCode != 0 && said.Contains("lock", StringComparison.Ordinal), $"{qemu.ExitCode} {said}\n{File.ReadAllText(_folder.File("trace"))}");
        }

        // Started again it gets the new file.
        Assert.Equal(0, QemuImg.TryRunIo("-f", "qcow2", "-c", "write -P 9 0 512", path).ExitCode);
    }

    [Fact]
    public void Image_that_is_merged_and_deleted_is_held_until_then()
    {
        string path = Image("base.qcow2"), overlay = _folder.File("overlay.qcow2");
        Qcow2Image.Create(overlay, null, new Qcow2CreateOptions { BackingFile = "base.qcow2", BackingFormat = "qcow2" }).Dispose();
        using (Qcow2Image disk = Qcow2Image.Open(overlay, new Qcow2OpenOptions { Writable = true }))
        {
            disk.Write(0, Enumerable.Repeat((byte)7, 1 << 17).ToArray());
        }

        var refusals = new List<Qcow2ErrorCode?>();
        var progress = new Reaction(() =>
        {
            try
            {
                Qcow2Image.Open(overlay, new Qcow2OpenOptions { Writable = true, WithoutBacking = true }).Dispose();
                refusals.Add(null);
            }
            catch (Qcow2Exception e)
            {
                refusals.Add(e.Code);
            }
        });
        ImageMerge.Merge(overlay, new ImageMergeOptions { Source = MergedImage.Delete, ThrottleLimit = 1 }, progress);
        Assert.NotEmpty(refusals);
        Assert.All(refusals, code => Assert.Equal(Qcow2ErrorCode.ImageLocked, code));
        Assert.False(File.Exists(overlay));
        using Qcow2Image merged = Qcow2Image.Open(path);
        byte[] first = new byte[1];
        merged.Read(0, first);
        Assert.Equal(7, first[0]);
    }

    [WindowsFact]
    public void Readers_that_take_what_they_get_keep_the_old_file_when_it_is_replaced()
    {
        string path = _folder.File("disk.raw");
        File.WriteAllText(path, "old");
        byte[] seen = new byte[3];
        using (var reader = LocalFile.OpenRead(path))
        using (var replacement = ReplacementFile.Create(path, overwrite: true))
        {
            replacement.Storage.Write(0, "new"u8);
            replacement.Commit();
            reader.Read(0, seen);
        }

        Assert.Equal("old"u8.ToArray(), seen);
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [WindowsTheory]
    [InlineData(FileAccess.Write, FileShare.ReadWrite | FileShare.Delete)]
    [InlineData(FileAccess.ReadWrite, FileShare.Read)]
    [InlineData(FileAccess.Read, FileShare.ReadWrite)] // It does not share the deletion.
    [InlineData(FileAccess.Read, FileShare.Read | FileShare.Delete)] // It relies on nobody writing the file, as this module's readers do.
    public void What_stands_in_the_way_is_found_before_the_work(FileAccess access, FileShare share)
    {
        string path = _folder.File("disk.raw");
        File.WriteAllText(path, "old");
        using (new FileStream(path, FileMode.Open, access, share))
        {
            var error = Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(path, overwrite: true));
            Assert.Equal(Qcow2ErrorCode.ImageLocked, error.Code);
            Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        }

        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [WindowsFact]
    public void Nobody_can_open_for_writing_what_is_being_replaced()
    {
        string path = _folder.File("disk.raw");
        File.WriteAllText(path, "old");
        using (var replacement = ReplacementFile.Create(path, overwrite: true))
        {
            replacement.Storage.Write(0, "new"u8);
            Assert.Throws<IOException>(() => new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete));
            replacement.Commit();
        }

        new FileStream(path, FileMode.Open, FileAccess.Write).Dispose();
    }

    /// <summary>Whether a program has a file open for writing; before that, QEMU opens it for reading for a moment.</summary>
    private static bool IsOpenForWriting(string program, string path)
        => Directory.GetDirectories("/proc").Where(folder => Read($"{folder}/comm").Trim() == program)
            .SelectMany(folder => Entries($"{folder}/fd")
                .Where(link => new FileInfo(link).LinkTarget == path)
                .Select(link => Read($"{folder}/fdinfo/{Path.GetFileName(link)}")))
            .Any(information => information.Split('\n').Any(line => line.StartsWith("flags:", StringComparison.Ordinal) && line.EndsWith('2'))); // O_RDWR

    private static string[] Entries(string folder)
    {
        try
        {
            return Directory.GetFileSystemEntries(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return []; // The process has ended, or is somebody else's.
        }
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // The process has ended.
        }
    }

    private sealed class Reaction(Action react) : IProgress<WorkProgress>
    {
        public void Report(WorkProgress value) => react();
    }
}
