using System.Diagnostics;
using System.Text;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>A program of QEMU's that has an image open until it is disposed of.</summary>
internal sealed class ImageLockHolder : IDisposable
{
    /// <summary>No program takes this long to open an image; one that does hangs.</summary>
    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _said = new();
    private readonly TaskCompletionSource _isReady = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ImageLockHolder(string folder, string program, string[] arguments, string? readySign)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "C";
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Hear(line.Data, readySign);
        _process.ErrorDataReceived += (_, line) => Hear(line.Data, null);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Opens an image; it is open, and all of its chain locked, when this returns.</summary>
    /// <param name="kind">The program and its options; for qemu-system-x86_64 those of the drive, or "no-device".</param>
    /// <param name="folder">Where the image lies.</param>
    /// <param name="image">Its name there.</param>
    /// <param name="format">Its format.</param>
    internal static ImageLockHolder Start(string kind, string folder, string image, string format = "qcow2")
    {
        string[] parts = kind.Split(' ');
        string[] options = parts[1..];
        switch (parts[0])
        {
            case "qemu-io":
                return StartWith(folder, parts[0], [.. options, "-f", format, image], "read 0 512", "512/512");
            case "qemu-nbd":
                return StartServer(folder, parts[0], [.. options, "--persistent", "-f", format, image]);
            default:
                return StartWith(folder, parts[0], MachineArguments(options, image, format), "info status", "VM status:");
        }
    }

    /// <summary>A machine that never runs, with an image as a disk of it, told what to do through its standard input.</summary>
    internal static string[] MachineArguments(string[] options, string image, string format)
    {
        string[] machine = ["-S", "-display", "none", "-nodefaults", "-serial", "none", "-monitor", "stdio"];
        string drive = $"if=none,id=disk,format={format},file={image}";
        return options is ["no-device"]
            ? [.. machine, "-machine", "none", "-drive", drive]
            : [.. machine, "-drive", string.Join(',', [drive, .. options]), "-device", "virtio-blk-pci,drive=disk"];
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static ImageLockHolder StartWith(string folder, string program, string[] arguments, string question, string answer)
    {
        var holder = new ImageLockHolder(folder, program, arguments, answer);
        try
        {
            holder._process.StandardInput.WriteLine(question);
            holder._process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // It has ended. What it said is in the message below.
        }

        holder.WaitFor(() => holder._isReady.Task.Wait(TimeSpan.FromMilliseconds(20)));
        return holder;
    }

    private static ImageLockHolder StartServer(string folder, string program, string[] arguments)
    {
        string socket = Path.Combine(folder, $"{Guid.NewGuid():N}.socket");
        var holder = new ImageLockHolder(folder, program, [.. arguments, "--socket", socket], null);
        holder.WaitFor(() => File.Exists(socket)); // It opens the image first.
        return holder;
    }

    private void WaitFor(Func<bool> isReady)
    {
        var watch = Stopwatch.StartNew();
        while (!isReady())
        {
            if (_process.WaitForExit(5) || watch.Elapsed > TimeLimit)
            {
                string state = _process.HasExited ? $"ended with {_process.ExitCode}" : $"was not ready in {TimeLimit}";
                Dispose();
                throw new InvalidOperationException($"{_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)} {state}: {_said}");
            }
        }
    }

    private void Hear(string? line, string? readySign)
    {
        lock (_said)
        {
            _said.AppendLine(line);
        }

        if (line is not null && readySign is not null && line.Contains(readySign, StringComparison.Ordinal))
        {
            _isReady.TrySetResult();
        }
    }
}
