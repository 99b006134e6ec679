using System.Diagnostics;
using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>QEMU and this engine see each other's locks.</summary>
public sealed class ImageLockTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly string _path;

    public ImageLockTests()
    {
        _path = _folder.File("image.qcow2");
        File.Copy(Fixtures.Get("deflate-4k").Path, _path);
    }

    public void Dispose() => _folder.Dispose();

    [QemuFact]
    public void Image_that_qemu_writes_is_reported_and_refused_but_can_be_read_by_force()
    {
        using (Hold("-f", "qcow2"))
        {
            Assert.Equal(ImageLockState.HeldForWriting, Qcow2ImageInfo.Read(_path).LockState);
            Assert.True(Qcow2ImageInfo.Read(_path).IsLocked);

            var error = Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(_path));
            Assert.Equal(Qcow2ErrorCode.ImageLocked, error.Code);
            Assert.True(error.CanBeShared);

            using Qcow2Image forced = Qcow2Image.Open(_path, new Qcow2OpenOptions { ForceShare = true });
            Assert.Equal(512, forced.Read(0, new byte[512]));
        }

        Assert.Equal(ImageLockState.Unlocked, Qcow2ImageInfo.Read(_path).LockState);
        Qcow2Image.Open(_path).Dispose();
    }

    [QemuFact]
    public void Image_that_qemu_reads_can_be_read()
    {
        using (Hold("-r", "-f", "qcow2"))
        {
            Assert.Equal(ImageLockState.HeldForReading, Qcow2ImageInfo.Read(_path).LockState);
            Qcow2Image.Open(_path).Dispose();
        }
    }

    [QemuFact]
    public void Qemu_does_not_write_what_is_being_read_here()
    {
        using (Qcow2Image.Open(_path))
        {
            Assert.NotEqual(0, QemuImg.TryRunIo("-f", "qcow2", "-c", "write 0 512", _path).ExitCode);
            Assert.Equal(0, QemuImg.TryRunIo("-r", "-f", "qcow2", "-c", "read 0 512", _path).ExitCode);
        }

        Assert.Equal(0, QemuImg.TryRunIo("-f", "qcow2", "-c", "write 0 512", _path).ExitCode);
    }

    [QemuFact]
    public void Qemu_may_write_what_was_opened_by_force()
    {
        using (Qcow2Image.Open(_path, new Qcow2OpenOptions { ForceShare = true }))
        {
            Assert.Equal(0, QemuImg.TryRunIo("-f", "qcow2", "-c", "write 0 512", _path).ExitCode);
        }
    }

    /// <summary>Runs qemu-io until disposed of; it has the image open when this returns.</summary>
    private Holder Hold(params string[] options) => new([.. options, _path]);

    private sealed class Holder : IDisposable
    {
        private readonly Process _process;

        internal Holder(string[] arguments)
        {
            var start = new ProcessStartInfo("qemu-io", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true };
            _process = Process.Start(start)!;
            _process.StandardInput.WriteLine("read 0 512");
            _process.StandardInput.Flush();
            string? line;
            do
            {
                line = _process.StandardOutput.ReadLine();
            }
            while (line is not null && !line.Contains("512/512", StringComparison.Ordinal));
            Assert.NotNull(line);
        }

        public void Dispose()
        {
            _process.StandardInput.Close();
            _process.WaitForExit();
            _process.Dispose();
        }
    }
}
