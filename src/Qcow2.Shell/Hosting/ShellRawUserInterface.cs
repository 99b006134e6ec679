using System.Management.Automation.Host;

namespace Qcow2.Shell.Hosting;

/// <summary>The screen, as far as a script may ask about it. What needs a screen buffer is not supported.</summary>
internal sealed class ShellRawUserInterface(Terminal terminal) : PSHostRawUserInterface
{
    /// <summary>Columns of output that goes to a file or a pipe.</summary>
    internal const int RedirectedWidth = 120;

    private const int RedirectedHeight = 50;

    public override Size BufferSize
    {
        get => WindowSize;
        set => throw Unsupported();
    }

    public override Size WindowSize
    {
        get => terminal.Output && Console.WindowWidth > 0
            ? new Size(Console.WindowWidth, Math.Max(1, Console.WindowHeight))
            : new Size(RedirectedWidth, RedirectedHeight);
        set => throw Unsupported();
    }

    public override Size MaxWindowSize => WindowSize;

    public override Size MaxPhysicalWindowSize => WindowSize;

    // The terminal's own colours, whatever they are.
    public override ConsoleColor ForegroundColor { get; set; } = (ConsoleColor)(-1);

    public override ConsoleColor BackgroundColor { get; set; } = (ConsoleColor)(-1);

    public override Coordinates CursorPosition
    {
        get => terminal.Output && terminal.Input ? new Coordinates(Console.CursorLeft, Console.CursorTop) : default;
        set
        {
            if (terminal.Output)
            {
                Console.SetCursorPosition(value.X, value.Y);
            }
        }
    }

    public override int CursorSize { get; set; } = 25;

    public override Coordinates WindowPosition { get; set; }

    public override string WindowTitle
    {
        get => "";
        set
        {
            if (terminal.Output)
            {
                Console.Title = value;
            }
        }
    }

    public override bool KeyAvailable => terminal.Input && Console.KeyAvailable;

    public override KeyInfo ReadKey(ReadKeyOptions options)
    {
        if (!terminal.Input)
        {
            throw new InvalidOperationException("No key can be read: standard input is not a terminal.");
        }

        ConsoleKeyInfo key = Console.ReadKey(intercept: options.HasFlag(ReadKeyOptions.NoEcho));
        return new KeyInfo((int)key.Key, key.KeyChar, default, keyDown: true);
    }

    public override void FlushInputBuffer()
    {
        while (KeyAvailable)
        {
            Console.ReadKey(intercept: true);
        }
    }

    public override void SetBufferContents(Rectangle rectangle, BufferCell fill)
    {
        // Clear-Host fills the whole screen with blanks.
        if (terminal.Output)
        {
            Console.Clear();
        }
    }

    public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) => throw Unsupported();

    public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw Unsupported();

    public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) => throw Unsupported();

    private static NotSupportedException Unsupported() => new("This shell writes to a stream; it has no screen buffer.");
}
