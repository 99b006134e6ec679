using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>Whoever holds an image, we are refused where a second QEMU would be, and refuse QEMU where a first one would.</summary>
public sealed class ImageLockTableTests(LockedImages images) : IClassFixture<LockedImages>
{
    private const string Machine = "qemu-system-x86_64";

    /// <summary>Every pair of images of which one can be in the way of the other.</summary>
    public static TheoryData<string, string> Pairs => new()
    {
        { "base.qcow2", "base.qcow2" },
        { "base.qcow2", "overlay.qcow2" },
        { "overlay.qcow2", "overlay.qcow2" },
        { "overlay.qcow2", "base.qcow2" },
        { "overlay.qcow2", "sibling.qcow2" },
        { "split.qcow2", "split.qcow2" },
        { "overraw.qcow2", "overraw.qcow2" },
    };

    [QemuTheory, MemberData(nameof(Pairs))]
    public void Readers_and_writers_are_the_same_to_each_other_whichever_program_they_are(string held, string opened)
    {
        (string Qemu, Qcow2OpenOptions Ours)[] holders =
        [
            ("qemu-io -r", new()),
            ("qemu-io", new() { Writable = true }),
            ("qemu-io -r -U", new() { ForceShare = true }),
        ];
        foreach ((string qemu, Qcow2OpenOptions ours) in holders)
        {
            string expected;
            using (images.Hold(qemu, held))
            {
                expected = $"{qemu}: {images.AskQemu(opened)}";
                Assert.Equal(expected, $"{qemu}: {images.AskUs(opened)}");
            }

            using (images.HoldOurselves(held, ours))
            {
                Assert.Equal(expected, $"{qemu}: {images.AskQemu(opened)}");
                Assert.Equal(expected, $"{qemu}: {images.AskUs(opened)}");
            }
        }
    }

    [QemuTheory("qemu-nbd")]
    [InlineData("qemu-nbd", "base.qcow2")]
    [InlineData("qemu-nbd --read-only", "base.qcow2")]
    [InlineData("qemu-nbd --shared=4", "base.qcow2")]
    [InlineData("qemu-nbd", "split.qcow2")]
    public void What_a_server_holds_is_refused_as_QEMU_refuses_it(string holder, string image) => RefusesAsQemu(holder, image, image);

    [QemuTheory(Machine)]
    [InlineData(Machine, "base.qcow2", "base.qcow2")]
    [InlineData(Machine + " readonly=on", "base.qcow2", "base.qcow2")]
    [InlineData(Machine + " no-device", "base.qcow2", "base.qcow2")]
    [InlineData(Machine, "overlay.qcow2", "base.qcow2")]
    [InlineData(Machine, "overlay.qcow2", "sibling.qcow2")]
    [InlineData(Machine, "split.qcow2", "split.qcow2")]
    public void What_a_machine_holds_is_refused_as_QEMU_refuses_it(string holder, string held, string opened)
        => RefusesAsQemu(holder, held, opened);

    [QemuTheory(Machine)]
    [InlineData("split.qcow2", "data.raw")]
    [InlineData("overraw.qcow2", "base.raw")]
    [InlineData("base.raw", "overraw.qcow2")]
    public void Raw_disks_are_to_us_what_they_are_to_a_machine(string held, string opened)
    {
        (string Machine, Qcow2OpenOptions Ours)[] holders = [(Machine, new() { Writable = true }), (Machine + " readonly=on", new())];
        foreach ((string machine, Qcow2OpenOptions ours) in holders)
        {
            string expected;
            using (images.Hold(machine, held))
            {
                expected = $"{machine}: {images.AskMachine(opened)}";
                Assert.Equal(expected, $"{machine}: {images.AskUsAsMachine(opened)}");
            }

            using (images.HoldOurselves(held, ours))
            {
                Assert.Equal(expected, $"{machine}: {images.AskMachine(opened)}");
                Assert.Equal(expected, $"{machine}: {images.AskUsAsMachine(opened)}");
            }
        }
    }

    [QemuFact]
    public void What_a_block_job_rewrites_is_not_even_read_by_force()
    {
        const int NobodyReads = 200; // What a commit takes of the images between; it needs a machine at work.
        using (images.HoldByte("base.qcow2", NobodyReads))
        {
            string verdict = images.AskQemu("base.qcow2");
            Assert.Equal("base.qcow2: read False, by force False, write False", verdict);
            Assert.Equal(verdict, images.AskUs("base.qcow2"));
            var error = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(images.PathOf("base.qcow2")));
            Assert.False(error.CanBeShared);
            Assert.Equal("base.qcow2", Path.GetFileName(Qcow2ImageInfo.ReadChain(images.PathOf("overlay.qcow2")).Last().Path));
        }
    }

    [QemuFact]
    public void Force_does_not_share_what_is_written()
    {
        using (images.Hold("qemu-io", "base.qcow2"))
        {
            var error = Assert.Throws<Qcow2Exception>(
                () => Qcow2Image.Open(images.PathOf("base.qcow2"), new() { Writable = true, ForceShare = true }));
            Assert.Equal(Qcow2ErrorCode.ImageLocked, error.Code);
        }
    }

    [QemuTheory]
    [InlineData("qemu-io")]
    [InlineData("qemu-io -r")]
    public void What_is_in_use_is_not_replaced(string holder)
    {
        string path = images.PathOf("base.qcow2");
        byte[] before = File.ReadAllBytes(path);
        using (images.Hold(holder, "base.qcow2"))
        {
            Assert.NotEqual(0, QemuImg.TryRun("create", "-f", "qcow2", path, "1M").ExitCode);
            var error = Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(path, overwrite: true));
            Assert.Equal(Qcow2ErrorCode.ImageLocked, error.Code);
        }

        Assert.Equal(before, File.ReadAllBytes(path));
        Assert.Empty(Directory.GetFiles(images.Folder, "*.tmp"));
    }

    [QemuFact]
    public void What_is_being_replaced_is_not_opened_by_QEMU_until_it_is()
    {
        using var folder = new TempFolder();
        string path = folder.File("image.qcow2");
        QemuImg.Run("create", "-q", "-f", "qcow2", path, "1M");
        byte[] content = File.ReadAllBytes(path);
        using (var replacement = ReplacementFile.Create(path, overwrite: true))
        {
            Assert.NotEqual(0, QemuImg.TryRunIo("-f", "qcow2", "-c", "read 0 512", path).ExitCode);
            replacement.Storage.Write(0, content);

            // Another file takes the name, and is in use: that one must not be replaced, either.
            File.Delete(path);
            File.WriteAllBytes(path, content);
            using (ImageLockHolder.Start("qemu-io", folder.Path, "image.qcow2"))
            {
                Assert.Throws<Qcow2Exception>(replacement.Commit);
            }

            replacement.Commit();
        }

        QemuImg.RunIo("-f", "qcow2", "-c", "write 0 512", path);
        Assert.Single(Directory.GetFiles(folder.Path));
    }

    /// <summary>We find what QEMU finds, and say of the image that is held how it is held.</summary>
    private void RefusesAsQemu(string holder, string held, string opened)
    {
        using (images.Hold(holder, held))
        {
            string verdict = images.AskQemu(opened);
            Assert.Equal(verdict, images.AskUs(opened));
            ImageLockState state = verdict.Contains("read False", StringComparison.Ordinal) ? ImageLockState.HeldForWriting
                : verdict.Contains("write False", StringComparison.Ordinal) ? ImageLockState.HeldForReading
                : ImageLockState.Unlocked;
            Assert.Equal(state, images.StateOf(opened));
            Assert.Equal(state != ImageLockState.Unlocked, Qcow2ImageInfo.Read(images.PathOf(opened)).IsLocked);
        }

        Assert.Equal(ImageLockState.Unlocked, images.StateOf(opened));
    }
}
